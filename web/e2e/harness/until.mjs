/* Waiting for what is to become true, and for what is to stay true. */
import { setTimeout as pause } from 'node:timers/promises';

// Milliseconds between two questions, at first and at most: asking often would slow the pages down.
const PACE = { first: 20, most: 400, growth: 1.4 };

/** How long anything may take that has no reason to take long; it only bounds failures, on a slow machine too. */
export const PATIENCE = 60_000;

/**
 * Asks again and again until the answer is truthy, and returns it. An error of the question counts as
 * "not yet", because a page may be in the middle of loading; the last one is told when time is up.
 * Times are milliseconds.
 */
export async function until(what, ask, { timeout = PATIENCE } = {}) {
    const deadline = Date.now() + timeout;
    let pace = PACE.first;
    let last;
    for (;;) {
        try {
            const answer = await ask();
            if (answer) return answer;
            last = undefined;
        } catch (error) {
            last = error;
        }
        if (Date.now() >= deadline) {
            const because = last ? ` (${last.message})` : '';
            throw new Error(`Waited ${timeout / 1000} s in vain for this: ${what}${because}`, { cause: last });
        }
        await pause(pace);
        pace = Math.min(pace * PACE.growth, PACE.most);
    }
}

/** Asks for a span of time, and fails as soon as the answer is not truthy. */
export async function throughout(what, span, ask) {
    const deadline = Date.now() + span;
    while (Date.now() < deadline) {
        if (!(await ask())) throw new Error(`This did not hold for ${span / 1000} s: ${what}`);
        await pause(PACE.most);
    }
}

/** Lets a span of time pass that is the subject of a scenario itself: the length of an outage. */
export const lasting = (span) => pause(span);
