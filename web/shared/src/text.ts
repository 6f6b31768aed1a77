const encoder = new TextEncoder();

/** The length of a text in bytes of UTF-8, which is how the server counts. */
export function bytesOf(text: string): number {
    return encoder.encode(text).length;
}

/** The first `most` code points of a text; no surrogate pair is cut apart. */
export function firstOf(text: string, most: number): string {
    if (text.length <= most) return text;
    let end = 0;
    for (let n = 0; n < most && end < text.length; n++) end += text.codePointAt(end)! > 0xffff ? 2 : 1;
    return text.slice(0, end);
}
