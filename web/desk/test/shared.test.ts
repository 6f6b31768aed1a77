import { countdown, spoken, timer } from '@halley/shared/duration';
import { freshId } from '@halley/shared/ids';
import { composes } from '@halley/shared/keyboard';
import { linkify } from '@halley/shared/linkify';
import { bytesOf, firstOf } from '@halley/shared/text';
import { expect, test } from 'vitest';

test.each([
    ['no link here', []],
    ['see https://example.org/a?b=c#d.', ['https://example.org/a?b=c#d']],
    ['(https://example.org/x)', ['https://example.org/x']],
    [
        'https://example.org/wiki/Comet_(object), and http://b.example/!',
        ['https://example.org/wiki/Comet_(object)', 'http://b.example/'],
    ],
    ['javascript:alert(1) data:text/html,x ftp://example.org', []],
    ['https://good.example@evil.example/', []],
    ['https://example.org"onclick=', ['https://example.org/']],
    ["https://en.wikipedia.org/wiki/Murphy's_law says so", ["https://en.wikipedia.org/wiki/Murphy's_law"]],
    ['www.example.org/a, or ann@example.org.', ['https://www.example.org/a', 'mailto:ann@example.org']],
    ['it broke.it did, see readme.md and 10.0.0.1', []],
    ['//example.org/x', []],
    ['https://', []],
    ['HTTPS://EXAMPLE.ORG/A', ['https://example.org/A']],
])('links in %j', (text, links) => {
    const pieces = linkify(text);
    expect(pieces.map((piece) => piece.text).join('')).toBe(text);
    expect(pieces.flatMap((piece) => piece.href ?? [])).toEqual(links);
});

test('timers and spans', () => {
    expect([-5, 0, 7_900, 760_000, 3_729_000].map(timer)).toEqual(['0:00', '0:00', '0:07', '12:40', '1:02:09']);
    expect([41_000, 180_000, 7_500_000].map(spoken)).toEqual(['41 s', '3 min', '2 h 5 min']);
});

test('an offer of 20 s never shows 21', () => {
    expect([20_999, 20_000, 19_999, 1_000, 999, -1].map(countdown)).toEqual([20, 20, 19, 1, 0, 0]);
});

test('ids are 32 hexadecimal digits and differ', () => {
    const ids = Array.from({ length: 100 }, freshId);
    expect(new Set(ids).size).toBe(100);
    for (const id of ids) expect(id).toMatch(/^[0-9a-f]{32}$/);
});

test('a text is cut between code points and measured in bytes of UTF-8', () => {
    expect(firstOf('ab😀c', 3)).toBe('ab😀');
    expect(firstOf('😀😀', 1)).toBe('😀');
    expect(firstOf('short', 100)).toBe('short');
    expect(bytesOf('aé€😀')).toBe(1 + 2 + 3 + 4);
});

test.each([
    [{ isComposing: false, keyCode: 13 }, false],
    [{ isComposing: true, keyCode: 13 }, true],
    [{ isComposing: false, keyCode: 229 }, true],
])('a key of an input method: %j', (event, expected) => {
    expect(composes(event)).toBe(expected);
});
