from __future__ import annotations

import re

from pbx.configfile.reading import read
from pbx.environment import PROJECT


def test_the_example_of_the_documentation_is_a_good_file() -> None:
    text = (PROJECT / "docs" / "configuration-file.md").read_text()
    example = re.search(r"```yaml\n(.*?)```", text, re.DOTALL)
    assert example is not None
    document = read(example[1].encode())
    assert len(document.rules) == 3
