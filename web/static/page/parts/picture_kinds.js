// Which files are pictures that the server takes, by their names.

/** The server takes these kinds of pictures, and looks at the content of each file itself. */
const KINDS = ["jpg", "jpeg", "png", "tif", "tiff", "bmp", "webp", "gif", "avif"];

/** What a person reads of them, and what `<input type=file>` offers. */
export const KINDS_IN_WORDS = "JPEG, PNG, WebP, AVIF, GIF, TIFF, BMP";
export const ACCEPTED = KINDS.map((kind) => `.${kind}`).join(",");

/** @param {{name: string}} file */
export const looksLikePicture = ({ name }) =>
  !name.startsWith(".") && KINDS.includes(name.slice(name.lastIndexOf(".") + 1).toLowerCase());
