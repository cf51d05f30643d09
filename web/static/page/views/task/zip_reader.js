// Reads single files out of a zip on the server without loading all of it, by asking for parts of its bytes.
import { request } from "../../api.js";

/** method: 0 for stored, 8 for deflated. begin: where its header stands in the zip.
 * @typedef {{name: string, method: number, packedBytes: number, begin: number}} Member */

const DIRECTORY_END = 0x06054b50;
const DIRECTORY_ENTRY = 0x02014b50;
const DIRECTORY_END_BYTES = 22;
const ENTRY_BYTES = 46;
const HEADER_BYTES = 30;
/** The table of contents stands at the end. With its last part it nearly always comes whole. */
const TAIL_BYTES = 65_536;
/** Texts are short. A model inside of the zip has an address of its own. */
const MOST_MEMBER_BYTES = 1_000_000;
const DEFLATED = 8;

/** @param {string} url @param {number} begin @param {number} end not included @returns {Promise<DataView>} */
async function part(url, begin, end) {
  const answer = await request(url, { headers: { Range: `bytes=${begin}-${end - 1}` } });
  return new DataView(await answer.arrayBuffer());
}

/**
 * The files in a zip.
 *
 * @param {string} url
 * @param {number} sizeBytes
 * @returns {Promise<Member[]>}
 */
export async function membersOf(url, sizeBytes) {
  const begin = Math.max(0, sizeBytes - TAIL_BYTES);
  const tail = await part(url, begin, sizeBytes);
  let end = tail.byteLength - DIRECTORY_END_BYTES;
  while (end >= 0 && tail.getUint32(end, true) !== DIRECTORY_END) end -= 1;
  if (end < 0) throw new Error("not a zip");
  const count = tail.getUint16(end + 10, true);
  const bytes = tail.getUint32(end + 12, true);
  const at = tail.getUint32(end + 16, true);
  return entries(at >= begin ? new DataView(tail.buffer, at - begin, bytes) : await part(url, at, at + bytes), count);
}

/** @param {DataView} directory @param {number} count @returns {Member[]} */
function entries(directory, count) {
  const found = [];
  for (let at = 0; found.length < count && directory.getUint32(at, true) === DIRECTORY_ENTRY;) {
    const lengths = [28, 30, 32].map((place) => directory.getUint16(at + place, true));
    const name = new TextDecoder().decode(new Uint8Array(directory.buffer, directory.byteOffset + at + ENTRY_BYTES, lengths[0]));
    found.push({
      name,
      method: directory.getUint16(at + 10, true),
      packedBytes: directory.getUint32(at + 20, true),
      begin: directory.getUint32(at + 42, true),
    });
    at += ENTRY_BYTES + lengths[0] + lengths[1] + lengths[2];
  }
  return found;
}

/**
 * The text of a file in a zip.
 *
 * @param {string} url
 * @param {Member} member
 */
export async function textOf(url, member) {
  if (member.packedBytes > MOST_MEMBER_BYTES) throw new Error(`${member.name} is too large to be shown`);
  const header = await part(url, member.begin, member.begin + HEADER_BYTES);
  const begin = member.begin + HEADER_BYTES + header.getUint16(26, true) + header.getUint16(28, true);
  const content = member.packedBytes ? await part(url, begin, begin + member.packedBytes) : new DataView(new ArrayBuffer(0));
  const stored = new Response(/** @type {BodyInit} */ (content.buffer));
  if (member.method !== DEFLATED || !stored.body) return stored.text();
  return new Response(stored.body.pipeThrough(new DecompressionStream("deflate-raw"))).text();
}
