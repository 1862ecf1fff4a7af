from pathlib import Path

from rpgen.backends.web.npm_registry import DEFAULT, npm_settings, parse


def test_the_default_is_npms_own() -> None:
    assert npm_settings({}, []).registry("onnxruntime-web") == DEFAULT


def test_the_environment_goes_before_files_and_the_first_file_before_others(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    first.write_text("registry=https://first.example/npm\n")
    second.write_text("registry=https://second.example/npm/\nproxy=http://proxy.example:1\n")
    found = npm_settings({}, [first, tmp_path / "none", second])
    assert found.registry("x") == "https://first.example/npm/"
    assert found.proxies == {"https": "http://proxy.example:1", "http": "http://proxy.example:1"}
    for name in ("NPM_CONFIG_REGISTRY", "npm_config_registry"):
        found = npm_settings({name: "https://env.example"}, [first, second])
        assert found.registry("x") == "https://env.example/"


def test_a_scope_may_have_a_registry_of_its_own(tmp_path: Path) -> None:
    file = tmp_path / ".npmrc"
    file.write_text("@sparticuz:registry=https://scoped.example/\nregistry=https://all.example/\n")
    found = npm_settings({}, [file])
    assert found.registry("@sparticuz/chromium") == "https://scoped.example/"
    assert found.registry("@other/thing") == "https://all.example/"
    assert found.registry("onnxruntime-web") == "https://all.example/"


def test_comments_quotes_variables_and_null() -> None:
    text = """
    # registry=https://no.example
    ; registry=https://no.example
    [section]
    registry = "https://${HOST}/${UNSET}"
    https-proxy=null
    cafile=
    not a setting
    """
    found = parse(text, {"HOST": "yes.example"})
    assert found == {"registry": "https://yes.example/${UNSET}"}


def test_a_certificate_file_can_be_named() -> None:
    assert npm_settings({"npm_config_cafile": "/ca.pem"}, []).authorities == "/ca.pem"
    assert (
        npm_settings({"npm_config_https_proxy": "http://p:1"}, []).proxies["https"] == "http://p:1"
    )
