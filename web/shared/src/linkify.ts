/** A stretch of text: plain, or a link if it has an address. */
export interface Piece {
    readonly text: string;
    readonly href?: string;
}

const ADDRESS = /https?:\/\/[^\s<>"'`\p{Cc}]+/giu;
const LONGEST_ADDRESS = 2000;

/**
 * Cuts a text into pieces, of which those that are web addresses carry an href. Only http and https
 * become links; the pieces put together again are always the text itself, so nothing is hidden.
 */
export function linkify(text: string): Piece[] {
    const pieces: Piece[] = [];
    let done = 0;
    for (const match of text.matchAll(ADDRESS)) {
        const found = trimTail(match[0]);
        const href = addressOf(found);
        if (!href) continue;
        if (match.index > done) pieces.push({ text: text.slice(done, match.index) });
        pieces.push({ text: found, href });
        done = match.index + found.length;
    }
    if (done < text.length || pieces.length === 0) pieces.push({ text: text.slice(done) });
    return pieces;
}

/** Leaves out the punctuation that ends the sentence and not the address, and a bracket that was opened before it. */
function trimTail(found: string): string {
    let end = found.length;
    for (;;) {
        const last = found[end - 1];
        if (last === undefined) break;
        if ('.,;:!?…*_~'.includes(last)) {
            end--;
        } else if (last === ')' && count(found, ')', end) > count(found, '(', end)) {
            end--;
        } else if (last === ']' && count(found, ']', end) > count(found, '[', end)) {
            end--;
        } else {
            break;
        }
    }
    return found.slice(0, end);
}

function count(text: string, sign: string, end: number): number {
    let n = 0;
    for (let i = 0; i < end; i++) if (text[i] === sign) n++;
    return n;
}

/** An address with a user part is left as text: it looks like one host and leads to another. */
function addressOf(text: string): string | undefined {
    if (text.length > LONGEST_ADDRESS || !URL.canParse(text)) return undefined;
    const url = new URL(text);
    if (url.protocol !== 'http:' && url.protocol !== 'https:') return undefined;
    if (url.username !== '' || url.password !== '') return undefined;
    return url.href;
}
