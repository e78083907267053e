"""The providers as data: names, aliases, and the variables that others read."""

from __future__ import annotations

import inspect
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from sans_io_stream import providers
from sans_io_stream.dialects.registry import DIALECTS
from sans_io_stream.providers import PROVIDERS, provider_named
from tests.sources import CORE, REPO

if TYPE_CHECKING:
    from sans_io_stream.providers.building import Provider


def test_there_is_one_for_each_module() -> None:
    files = sorted((CORE / "providers").glob("*.py"))
    modules = {file.stem for file in files if "\nPROVIDER = " in file.read_text("utf-8")}
    assert set(PROVIDERS) == modules
    assert modules < set(providers.__all__)
    for name, provider in PROVIDERS.items():
        assert provider.name == name
        assert provider.chat is getattr(providers, name).chat


def test_names_and_aliases_are_found_in_any_case() -> None:
    for provider in PROVIDERS.values():
        for name in (provider.name, *provider.aliases):
            assert provider_named(name) is provider
            assert provider_named(name.upper().replace("-", "_")) is provider


def test_no_name_means_two() -> None:
    names = [name for one in PROVIDERS.values() for name in (one.name, *one.aliases)]
    assert len(names) == len(set(names))


def test_another_name_is_told_which_there_are() -> None:
    with pytest.raises(ValueError, match=r"'klingon'.*openai, azure, anthropic"):
        provider_named("klingon")


@pytest.mark.parametrize("provider", PROVIDERS.values(), ids=PROVIDERS)
def test_variables_are_for_arguments_that_there_are(provider: Provider) -> None:
    parameters = inspect.signature(provider.chat).parameters
    assert set(provider.other_variables) <= set(parameters)
    assert "api_key" in parameters
    variables = [*provider.key_variables]
    for names in provider.other_variables.values():
        assert names
        variables += names
    assert all(name == name.upper() and name.isidentifier() for name in variables)


def test_a_dialect_that_is_a_provider_is_called_alike() -> None:
    shared = set(PROVIDERS) & set(DIALECTS)
    assert shared == {"anthropic", "gemini", "mistral", "cohere", "ollama", "holysheep"}
    for name in shared:
        asked = PROVIDERS[name].chat(model="m", messages=[{"role": "user", "content": "x"}])
        assert asked.dialect == name


def test_the_library_does_not_load_them_unasked() -> None:
    code = (
        "import sys, sans_io_stream; from sans_io_stream import *; "
        "assert not [name for name in sys.modules if 'provider' in name]; "
        "from sans_io_stream.providers import *; print(anthropic.chat.__name__)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=REPO,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout.split() == ["chat"], done.stderr
