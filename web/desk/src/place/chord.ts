/** What of a key event tells a chord. */
export type Key = Pick<KeyboardEvent, 'altKey' | 'ctrlKey' | 'metaKey' | 'shiftKey' | 'key' | 'code'> & {
    readonly altGraph: boolean;
};

/** Option writes characters on Apple's keyboards, so the desk's modifier is Control and Option there, Alt elsewhere. */
export const onApple = typeof navigator !== 'undefined' && /Mac|iPhone|iPad/.test(navigator.platform);

/** How the modifier is written before a key. */
export function chordName(key: string, apple = onApple): string {
    return apple ? `⌃⌥${key}` : `Alt+${key}`;
}

/**
 * The letter (a to z) or digit (1 to 9) of a chord; null if the keys are none. A key that writes a character of its
 * own, as with AltGr, is never a chord. On keyboards of other scripts the place of the key counts.
 */
export function chordOf(key: Key, apple = onApple): string | null {
    if (!key.altKey || key.metaKey || key.shiftKey || key.altGraph || key.ctrlKey !== apple) return null;
    const place = /^(?:Key([A-Z])|Digit([1-9]))$/.exec(key.code);
    const placed = place?.[1]?.toLowerCase() ?? place?.[2] ?? null;
    if (apple) return placed;
    const typed = key.key.toLowerCase();
    if (/^[a-z1-9]$/.test(typed)) return typed;
    const foreign = /^\p{L}$/u.test(typed) && !/^\p{Script=Latin}$/u.test(typed);
    return foreign ? placed : null;
}
