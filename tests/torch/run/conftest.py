"""The project fixture of the system tests, for runs with real (small) models."""

from tests.system.run.conftest import Project as Project
from tests.system.run.conftest import eventually as eventually
from tests.system.run.conftest import project as project
