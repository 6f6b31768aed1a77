/* A zip archive of a few small files, by the format's published description; no times, so that equal files give an equal archive. */
import { deflateRawSync } from 'node:zlib';

const VERSION = 20;
const UTF8 = 0x0800;
const DEFLATE = 8;
const MIDNIGHT_1980 = 0x0021_0000;

/** Makes an archive of pairs of a name and the file's bytes. */
export function zip(files) {
    const bodies = [];
    const directory = [];
    let offset = 0;
    for (const [name, bytes] of files) {
        const path = Buffer.from(name, 'utf8');
        const packed = deflateRawSync(bytes, { level: 9 });
        const facts = describe(path, bytes, packed);
        const body = Buffer.concat([words(0x04034b50), facts, path, packed]);
        const origin = Buffer.concat([Buffer.alloc(10), words(offset)]);
        directory.push(Buffer.concat([words(0x02014b50), halves(VERSION), facts, origin, path]));
        bodies.push(body);
        offset += body.length;
    }
    const list = Buffer.concat(directory);
    const end = [words(0x06054b50), halves(0, 0, files.length, files.length), words(list.length, offset), halves(0)];
    return Buffer.concat([...bodies, list, ...end]);
}

/** What both headers of a file say: how it is packed, its sum, its sizes, the length of its name. */
function describe(path, bytes, packed) {
    return Buffer.concat([
        halves(VERSION, UTF8, DEFLATE),
        words(MIDNIGHT_1980, crc32(bytes), packed.length, bytes.length),
        halves(path.length, 0),
    ]);
}

function halves(...values) {
    const out = Buffer.alloc(values.length * 2);
    values.forEach((value, i) => out.writeUInt16LE(value, i * 2));
    return out;
}

function words(...values) {
    const out = Buffer.alloc(values.length * 4);
    values.forEach((value, i) => out.writeUInt32LE(value, i * 4));
    return out;
}

function crc32(bytes) {
    let sum = 0xffff_ffff;
    for (const byte of bytes) {
        sum ^= byte;
        for (let bit = 0; bit < 8; bit++) sum = (sum >>> 1) ^ (sum & 1 ? 0xedb8_8320 : 0);
    }
    return (sum ^ 0xffff_ffff) >>> 0;
}
