"""Names that no user means as pictures: what systems and programs leave behind, and files of other kinds.

This is the only list of such names. Code that lists a project's folder asks it.
"""

from __future__ import annotations

#: Folders that systems, network drives and programs make, in lower case. What lies in them is never used.
LITTER_FOLDERS = frozenset({
    "#recycle", "#snapshot", "@eadir", "@recycle", "@tmp", "$recycle.bin", "recycler", "lost+found",
    "system volume information", "__macosx", "__pycache__", ".ipynb_checkpoints", ".git", ".svn", ".hg", ".dvc",
    ".cache", ".config", ".local", ".venv", ".tox", ".idea", ".vscode", ".thumbnails", ".thumbs", ".picasaoriginals",
    ".appledouble", ".appledb", ".appledesktop", ".spotlight-v100", ".fseventsd", ".temporaryitems", ".tmp", ".temp",
    ".documentrevisions-v100", ".mypy_cache", ".pytest_cache", ".ruff_cache", ".tfmodel", ".dropbox.cache",
    ".stfolder", ".stversions", ".sync", ".snapshot", ".snapshots",
})  # fmt: skip
#: The beginnings of such names: `.Trash-1000`, `.Trashes`.
LITTER_FOLDER_STARTS = (".trash", ".nfs", "found.0")
LITTER_FILES = frozenset({"thumbs.db", "desktop.ini", "ehthumbs.db", "ehthumbs_vista.db", "icon\r", "_ds_store"})
#: What a Mac leaves in place of a file that is only in iCloud: `.IMG_1.JPG.icloud`.
ONLY_IN_CLOUD_SUFFIX = ".icloud"

ARCHIVE_SUFFIXES = frozenset(
    {".zip", ".rar", ".7z", ".tar", ".gz", ".tgz", ".bz2", ".tbz2", ".xz", ".txz", ".zst", ".lzma"}
)
FILM_SUFFIXES = frozenset({".mp4", ".mov", ".avi", ".mkv", ".webm", ".m4v", ".3gp", ".wmv", ".mts", ".mpg"})
DOCUMENT_SUFFIXES = frozenset({".pdf", ".doc", ".docx", ".ppt", ".pptx"})
#: Kinds of files that people take for pictures, and what to do with them. They are skipped, and named.
NO_PICTURES_BUT_LIKE_THEM = {
    ".svg": "it is an SVG drawing; export it as PNG",
    ".ai": "it is an Illustrator drawing; export it as PNG",
    ".eps": "it is a PostScript drawing; export it as PNG",
    ".ps": "it is a PostScript drawing; export it as PNG",
    ".pdf": "it is a PDF document; export its pages as PNG or JPEG",
    ".doc": "it is a Word document; save its pictures as PNG or JPEG",
    ".docx": "it is a Word document; save its pictures as PNG or JPEG",
    ".ppt": "it is a presentation; save its pictures as PNG or JPEG",
    ".pptx": "it is a presentation; save its pictures as PNG or JPEG",
    **dict.fromkeys(FILM_SUFFIXES, "it is a film; save single frames of it as PNG or JPEG"),
    ".npy": "it is a NumPy array; save it as PNG",
    ".npz": "it is a file of NumPy arrays; save them as PNG",
    ".mat": "it is a MATLAB file; save its pictures as PNG, and its labels as CSV",
    ".dcm": "it is a DICOM file; export it as PNG",
    ".nii": "it is a NIfTI volume; save its slices as PNG",
    ".nrrd": "it is an NRRD volume; save its slices as PNG",
    ".mha": "it is a MetaImage volume; save its slices as PNG",
    ".tfrecord": "it is a TFRecord file; export folders of classes, or masks, instead",
    ".parquet": "it is a Parquet file; save its pictures as PNG or JPEG",
}
#: What systems keep in place of a file that lies elsewhere.
SHORTCUT_SUFFIXES = frozenset({".lnk", ".url", ".webloc", ".desktop", ".gsheet", ".gdoc"})
#: Files that often lie in a folder but are not meant as pictures. All others may be pictures, even with no extension or
#: a wrong one, because the content decides.
NO_PICTURE_SUFFIXES = ARCHIVE_SUFFIXES | SHORTCUT_SUFFIXES | NO_PICTURES_BUT_LIKE_THEM.keys() | {
    ".txt", ".csv", ".tsv", ".json", ".jsonl", ".ndjson", ".xml", ".yaml", ".yml", ".toml", ".ini", ".cfg", ".conf",
    ".md", ".log", ".html", ".htm", ".css", ".js", ".py", ".pyc", ".ipynb", ".sh", ".bat", ".xls", ".xlsx", ".ods",
    ".db", ".sqlite", ".pbtxt", ".names", ".idx1-ubyte", ".idx3-ubyte",
    ".exe", ".dll", ".so", ".tmp", ".bak", ".lock",
    ".part", ".partial", ".filepart", ".crdownload", ".download", ".opdownload", ONLY_IN_CLOUD_SUFFIX,
    ".pkl", ".pickle", ".h5", ".hdf5", ".keras", ".tflite", ".pb", ".onnx", ".pt", ".pth",
    ".mp3", ".wav", ".aae", ".xmp", ".thm",
}  # fmt: skip
NO_PICTURE_NAMES = frozenset({
    "readme", "license",
    *(f"{part}-{kind}-ubyte" for part in ("train", "t10k", "test") for kind in ("images-idx3", "labels-idx1")),  # MNIST
})  # fmt: skip
#: Small files and archives that decide on the labels of pictures, so a model depends on them as well.
LABEL_SUFFIXES = frozenset({".txt", ".csv", ".tsv", ".json", ".xml", ".yaml", ".yml", ".npy", ".npz", ".zip"})


def is_litter_folder(name: str) -> bool:
    """Whether it is a folder of a system or a program. Other folders with a dot in front may be a class (`.net`)."""
    lower = name.lower()
    return lower in LITTER_FOLDERS or lower.startswith(LITTER_FOLDER_STARTS)


def is_litter_file(name: str) -> bool:
    """Whether it is a file of a system or a program, or a hidden one."""
    if name.lower().endswith(ONLY_IN_CLOUD_SUFFIX):
        return False
    return name.startswith((".", "~$")) or name.endswith("~") or name.lower() in LITTER_FILES


def suffix_of(name: str) -> str:
    """The extension in lower case, with its dot; "" where there is none. The name may be a path."""
    stem, dot, suffix = name[name.rfind("/") + 1 :].rpartition(".")
    return f".{suffix.lower()}" if dot and stem.strip(".") else ""


def may_be_picture(name: str) -> bool:
    """Whether a file of that name may be a picture, as long as its content does not say otherwise."""
    return not (suffix_of(name) in NO_PICTURE_SUFFIXES or is_litter_file(name) or name.lower() in NO_PICTURE_NAMES)
