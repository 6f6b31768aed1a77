import { expect, test } from 'vitest';
import { chordOf, type Key } from '../src/place/chord';

const none = { altKey: true, ctrlKey: false, metaKey: false, shiftKey: false, altGraph: false };

test.each<[string, Partial<Key>, boolean, string | null]>([
    ['Alt+E', { key: 'e', code: 'KeyE' }, false, 'e'],
    ['Alt+3', { key: '3', code: 'Digit3' }, false, '3'],
    ['Alt+a letter of Dvorak', { key: 'o', code: 'KeyS' }, false, 'o'],
    ['Alt on a Russian keyboard', { key: 'у', code: 'KeyE' }, false, 'e'],
    ['Option writes €, the system is not known as a Mac', { key: '€', code: 'KeyE' }, false, null],
    ['Option writes ł', { key: 'ł', code: 'KeyL' }, false, null],
    ['Option begins an accent', { key: 'Dead', code: 'KeyE' }, false, null],
    ['AltGr', { key: '@', code: 'KeyQ', ctrlKey: true }, false, null],
    ['AltGr and a plain letter', { key: 'e', code: 'KeyE', altGraph: true }, false, null],
    ['Option alone on a Mac', { key: '@', code: 'KeyL' }, true, null],
    ['Option alone on a Mac, the same letter', { key: 'l', code: 'KeyL' }, true, null],
    ['Control and Option on a Mac', { key: '@', code: 'KeyL', ctrlKey: true }, true, 'l'],
    ['no modifier', { key: 'e', code: 'KeyE', altKey: false }, false, null],
])('%s', (_, key, apple, expected) => {
    expect(chordOf({ ...none, key: '', code: '', ...key }, apple)).toBe(expected);
});
