import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { TypingSignal } from '../src/place/typing-signal';

beforeEach(() => void vi.useFakeTimers({ now: 1_000_000 }));
afterEach(() => void vi.useRealTimers());

function listen() {
    const told: boolean[] = [];
    return { told, signal: new TypingSignal((on) => told.push(on)) };
}

test('at most one signal in four seconds', () => {
    const { told, signal } = listen();
    for (let n = 0; n < 79; n++) {
        signal.typed('x');
        vi.advanceTimersByTime(100);
    }
    expect(told).toEqual([true, true]);
});

test('five seconds of quiet end the typing, and so does an empty field', () => {
    const { told, signal } = listen();
    signal.typed('x');
    vi.advanceTimersByTime(4_999);
    expect(told).toEqual([true]);
    vi.advanceTimersByTime(1);
    expect(told).toEqual([true, false]);
    signal.typed('y');
    signal.typed(' ');
    expect(told).toEqual([true, false, true, false]);
});

test('a line that goes out needs no signal, and none comes after it', () => {
    const { told, signal } = listen();
    signal.typed('x');
    vi.advanceTimersByTime(500);
    signal.typed('xy');
    signal.sent();
    vi.advanceTimersByTime(60_000);
    expect(told).toEqual([true]);
});
