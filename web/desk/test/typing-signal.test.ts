import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { TypingSignal } from '../src/place/typing-signal';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function listen(): { told: string[]; signal: TypingSignal } {
    const told: string[] = [];
    return { told, signal: new TypingSignal((on, text) => told.push(on ? text : 'stopped')) };
}

test('at most one signal a second, with the latest text', () => {
    const { told, signal } = listen();
    for (let i = 1; i <= 25; i++) {
        signal.typed('x'.repeat(i));
        vi.advanceTimersByTime(100);
    }
    expect(told.map((text) => text.length)).toEqual([1, 10, 20]);
    vi.advanceTimersByTime(1000);
    expect(told.at(-1)).toHaveLength(25);
});

test('five seconds of quiet or an empty field end it, once', () => {
    const { told, signal } = listen();
    signal.typed('a');
    vi.advanceTimersByTime(4999);
    expect(told).toEqual(['a']);
    vi.advanceTimersByTime(1);
    expect(told).toEqual(['a', 'stopped']);
    signal.typed('b');
    signal.typed('');
    signal.stop();
    expect(told).toEqual(['a', 'stopped', 'b', 'stopped']);
});

test('a sent line leaves nothing to come after it', () => {
    const { told, signal } = listen();
    signal.typed('a');
    signal.typed('ab');
    signal.sent();
    vi.advanceTimersByTime(60_000);
    expect(told).toEqual(['a']);
});
