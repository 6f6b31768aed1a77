/** Makes an id of 32 characters that nobody else makes. It works on pages without a secure context too. */
export function freshId(): string {
    const bytes = crypto.getRandomValues(new Uint8Array(16));
    return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
