import LinkifyIt from 'linkify-it';

/** A part of a text: plain, or a link if it has an address. */
export interface Piece {
    readonly text: string;
    readonly href?: string;
}

const LONGEST_ADDRESS = 2000;

// Web and mail addresses, also without a scheme ("www.example.com", "ann@example.com"). A bare host name is no link:
// in the lines of a chat it is more often the end of one sentence and the beginning of the next.
const finder = new LinkifyIt({ fuzzyLink: true, fuzzyEmail: true, fuzzyIP: false }).add('ftp:', null).add('//', null);

/**
 * Splits a text into pieces, of which addresses of http, https and mail carry an href. The pieces joined are always
 * the text itself, so nothing is hidden.
 */
export function linkify(text: string): Piece[] {
    const pieces: Piece[] = [];
    let done = 0;
    for (const match of finder.match(text) ?? []) {
        const href = hrefOf(match.schema, match.raw, match.url);
        if (!href) continue;
        if (match.index > done) pieces.push({ text: text.slice(done, match.index) });
        pieces.push({ text: match.raw, href });
        done = match.lastIndex;
    }
    if (done < text.length || pieces.length === 0) pieces.push({ text: text.slice(done) });
    return pieces;
}

/** The address to follow; none for one with a user part, which reads as one host and leads to another. */
function hrefOf(schema: string, raw: string, address: string): string | undefined {
    if (raw.length > LONGEST_ADDRESS) return undefined;
    if (schema === 'mailto:') return address;
    const bare = schema === '';
    if (bare && !/^www\./i.test(raw)) return undefined;
    const full = bare ? `https://${raw}` : address;
    if (!URL.canParse(full)) return undefined;
    const url = new URL(full);
    const web = url.protocol === 'http:' || url.protocol === 'https:';
    return web && url.username === '' && url.password === '' ? url.href : undefined;
}
