/** Writes a number of bytes in words short enough for a line: 812 bytes, 1.4 kB, 2.3 MB. */
export function sizeInWords(bytes: number): string {
    if (bytes < 1000) return bytes === 1 ? '1 byte' : `${bytes} bytes`;
    let value = bytes;
    let unit = '';
    for (unit of ['kB', 'MB', 'GB']) {
        value /= 1000;
        if (value < 999.95) break;
    }
    return `${value < 99.95 ? value.toFixed(1) : Math.round(value)} ${unit}`;
}
