"""Files of others that come with the program are unchanged, and their licences lie beside them."""

from __future__ import annotations

import hashlib

import pytest

from conf.settings import ROOT

VENDOR = ROOT / "web" / "static" / "vendor"
#: By folder: the packages of the npm registry that the files come from, and the hash of each file.
VENDORED: dict[str, tuple[str, dict[str, str]]] = {
    "htm": (
        "htm 3.1.1",
        {
            "LICENSE": "740725f7252e750af735d0028cc534970772f513331e9f68150fede8fb3ce00f",
            "LICENSE-preact": "1fe6958409c8c257a70c587a18b6f7f412b179b456630790d30b2ec9a8e4b7d4",
            "standalone.module.js": "72284e8e9079c87817145df1110f74e8a2aa040b2fc384922e18dfcb46fc1fd7",
        },
    ),
    "pico": (
        "@picocss/pico 2.1.1",
        {
            "LICENSE.md": "afaff063e044233f917b7807dccab022f09dca474f92b642846bee4850655bbf",
            "pico.classless.min.css": "61207a40ffc02a42d1e50143651c121beab70ed413c934c1ff84fa263ba436b0",
        },
    ),
    "swagger-ui": (
        "swagger-ui-dist 5.35.0",
        {
            "LICENSE": "cfc7749b96f63bd31c3c42b5c471bf756814053e847c10f3eb003417bc523d30",
            "NOTICE": "0d20d1adef18aee3f40dd258172155521ce702ac445cb5f7b7d60ed32dad2fb2",
            "swagger-ui-bundle.js": "e6a898692f2d768e807c3ba4626068a69a2c5dd960dd6c76f3e4d3a3de180af2",
            "swagger-ui-bundle.js.LICENSE.txt": "37eb6e7e59aed57b2c1acf076574b818ea07b74265717e0bd67b59e0baf9abbb",
            "swagger-ui.css": "5ed08757e53da3e026d6cbecc61fe5d43585c9560b302d534ad56692519a273d",
        },
    ),
    "uplot": (
        "uPlot 1.6.32",
        {
            "LICENSE": "8f989229699b4fe2f1a0432d0e9edc338a8a911e250e2d1b01ecd770a5f5b1bd",
            "uPlot.esm.js": "5dd9b3281aa64b461b42d9945f6adb2649d346502b12281a9ae0d46599a80eba",
            "uPlot.min.css": "df630c6a8d6f8eeaff264b50f73ce5b114f646ffd9a0bb74f049b0a00135fa04",
        },
    ),
}


def test_each_folder_is_known() -> None:
    assert {path.name for path in VENDOR.iterdir()} == set(VENDORED)


@pytest.mark.parametrize("folder", VENDORED)
def test_the_files_are_the_published_ones_with_their_licences(folder: str) -> None:
    package, hashes = VENDORED[folder]
    files = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in (VENDOR / folder).iterdir()}
    assert files == hashes
    assert any(name.startswith("LICENSE") for name in files)
    assert package in (ROOT / "NOTICE").read_text()
