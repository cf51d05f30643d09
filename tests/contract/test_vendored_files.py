"""Files of others that come with the program are unchanged, and their licences lie beside them."""

from __future__ import annotations

import hashlib

from conf.settings import ROOT

SWAGGER_UI = ROOT / "web" / "static" / "vendor" / "swagger-ui"
#: Of swagger-ui-dist 5.35.0 from the npm registry.
SHA256 = {
    "LICENSE": "cfc7749b96f63bd31c3c42b5c471bf756814053e847c10f3eb003417bc523d30",
    "NOTICE": "0d20d1adef18aee3f40dd258172155521ce702ac445cb5f7b7d60ed32dad2fb2",
    "swagger-ui-bundle.js": "e6a898692f2d768e807c3ba4626068a69a2c5dd960dd6c76f3e4d3a3de180af2",
    "swagger-ui-bundle.js.LICENSE.txt": "37eb6e7e59aed57b2c1acf076574b818ea07b74265717e0bd67b59e0baf9abbb",
    "swagger-ui.css": "5ed08757e53da3e026d6cbecc61fe5d43585c9560b302d534ad56692519a273d",
}


def test_swagger_ui_is_the_published_one_with_its_licences() -> None:
    files = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in SWAGGER_UI.iterdir()}
    assert files == SHA256
    assert "Apache License" in (SWAGGER_UI / "LICENSE").read_text()


def test_notice_names_it() -> None:
    assert "swagger-ui-dist 5.35.0" in (ROOT / "NOTICE").read_text()
