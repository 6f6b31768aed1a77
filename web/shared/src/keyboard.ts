/**
 * Says whether a key belongs to an input method that composes a text. Safari reports the Enter that
 * confirms a conversion after the composition has ended, and marks it with the key code 229 alone.
 */
export function composes(event: Pick<KeyboardEvent, 'isComposing' | 'keyCode'>): boolean {
    return event.isComposing || event.keyCode === 229;
}
