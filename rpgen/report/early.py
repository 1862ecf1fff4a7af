"""What the reports of a run take, imported while its worker imports torch: the run ends sooner."""

import threading


def prepare() -> threading.Thread:
    """Import the pages and compile their templates in a thread; a report needs not wait for it."""
    thread = threading.Thread(target=_import, name="rpgen reports", daemon=True)
    thread.start()
    return thread


def _import() -> None:
    from rpgen.report import console, json_report, timeline  # noqa: F401
    from rpgen.report.html import run_page  # noqa: F401
    from rpgen.report.html.render import compile_templates

    compile_templates()
