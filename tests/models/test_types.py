import ast
from pathlib import Path

import pytest

import models

FILES = sorted(Path(models.__path__[0]).glob("*.py"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_only_kernels_go_without_types(file: Path) -> None:
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.FunctionDef) and node.returns is None:
            assert [getattr(decorator, "id", "") for decorator in node.decorator_list] == ["kernel"], node.name
