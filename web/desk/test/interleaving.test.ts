import { expect, test } from 'vitest';
import { linesOf } from '../src/state/outbox';
import { reduce, type Message } from '../src/state/reduce';
import { cursorOf, empty, type State } from '../src/state/state';
import type { ChatEvent, ChatInfo } from '../src/wire/shapes';
import { agent, dice, ended, info, joined, me, resumed, said, typed } from './fixture';

/** What the server holds: a log per chat, which a run reveals to the desk piece by piece. */
function script(roll: () => number): Record<string, ChatEvent[]> {
    const logs: Record<string, ChatEvent[]> = {};
    for (const id of ['A', 'B', 'C']) {
        const events: ChatEvent[] = [joined(1), joined(2, me)];
        const length = 10 + Math.floor(roll() * 30);
        for (let index = 3; index <= length; index++) {
            const kind = roll();
            if (kind < 0.3) events.push(typed(index, roll() < 0.7, `preview ${index}`));
            else if (kind < 0.6) events.push(said(index, `visitor ${id}${index}`));
            else events.push(said(index, `agent ${id}${index}`, `${id}${index}`));
        }
        if (roll() < 0.5) events.push(ended(length + 1));
        logs[id] = events;
    }
    return logs;
}

function infoAt(id: string, log: readonly ChatEvent[]): ChatInfo {
    return info(id, { phase: log.some((event) => event.type === 'ended') ? 'ended' : 'active' });
}

function lines(events: readonly ChatEvent[]): ChatEvent[] {
    return events.filter((event) => event.type !== 'typed');
}

/** Steps of a run. Each gives the messages that arrive, and moves what the server has written or sent. */
class Run {
    private readonly roll: () => number;
    private readonly logs: Record<string, ChatEvent[]>;
    private readonly written: Record<string, number> = { A: 0, B: 0, C: 0 };
    private readonly pushed: Record<string, number> = { A: 0, B: 0, C: 0 };
    private readonly past: Message[] = [];
    private up = false;
    state: State = empty;

    constructor(seed: number) {
        this.roll = dice(seed);
        this.logs = script(this.roll);
    }

    step(): void {
        const kind = this.roll();
        if (!this.up && kind < 0.3) return this.resume();
        if (kind < 0.35) return this.write();
        if (kind < 0.75) return this.push();
        if (kind < 0.85) return this.again();
        if (kind < 0.92) return this.resume();
        this.up = false;
        this.take({ type: 'desk-lost', at: 0 });
    }

    finish(): void {
        for (const id of Object.keys(this.logs)) this.written[id] = this.logs[id]!.length;
        this.resume();
    }

    transcript(id: string): readonly ChatEvent[] {
        return this.state.chats[id]?.events ?? [];
    }

    expected(id: string): ChatEvent[] {
        return lines(this.logs[id]!);
    }

    private any(): string {
        return ['A', 'B', 'C'][Math.floor(this.roll() * 3)]!;
    }

    private write(): void {
        const id = this.any();
        this.written[id] = Math.min(this.logs[id]!.length, this.written[id]! + 1 + Math.floor(this.roll() * 3));
    }

    /** A push brings what was written since the last one; none comes while the connection is down. */
    private push(): void {
        const id = this.any();
        this.write();
        const events = this.logs[id]!.slice(this.pushed[id], this.written[id]);
        if (!this.up || events.length === 0) return;
        this.pushed[id] = this.written[id]!;
        const log = this.logs[id]!.slice(0, this.written[id]);
        this.take({ type: 'chat', chat: infoAt(id, log), events });
    }

    /** Something that came before comes once more. */
    private again(): void {
        const message = this.past[Math.floor(this.roll() * this.past.length)];
        if (message) this.take(message);
    }

    private resume(): void {
        const cursor = cursorOf(this.state);
        const chats = Object.keys(this.logs).map((id) => {
            const log = this.logs[id]!.slice(0, this.written[id]);
            const events = lines(log).filter((event) => event.index > (cursor.chats[id] ?? 0));
            this.pushed[id] = this.written[id]!;
            return { chat: infoAt(id, log), events };
        });
        this.up = true;
        this.take({ type: 'desk-linked', transport: 'websocket', at: 0 });
        this.take(resumed(chats, { agent: agent(1, { chats: ['A', 'B', 'C'] }) }));
    }

    private take(message: Message): void {
        const before = cursorOf(this.state);
        this.state = reduce(this.state, message);
        if (!message.type.startsWith('desk-')) this.past.push(message);
        const after = cursorOf(this.state);
        expect(after.own).toBeGreaterThanOrEqual(before.own);
        for (const [id, last] of Object.entries(before.chats)) {
            // A chat that has ended is not in the cursor any more.
            if (id in after.chats) expect(after.chats[id]).toBeGreaterThanOrEqual(last);
        }
    }
}

test('pushes, replays, duplicates and resumes in any order give the same transcript', () => {
    for (let seed = 1; seed <= 300; seed++) {
        const run = new Run(seed);
        for (let i = 0; i < 120; i++) run.step();
        run.finish();
        for (const id of ['A', 'B', 'C'])
            expect(run.transcript(id), `seed ${seed}, chat ${id}`).toEqual(run.expected(id));
    }
});

test('a transcript never holds an index twice and always rises', () => {
    const run = new Run(4711);
    for (let i = 0; i < 400; i++) {
        run.step();
        for (const id of ['A', 'B', 'C']) {
            const indexes = run.transcript(id).map((event) => event.index);
            expect(indexes).toEqual([...new Set(indexes)].sort((a, b) => a - b));
        }
    }
});

test('lines under way end up in the transcript exactly once, whatever is repeated', () => {
    for (let seed = 1; seed <= 200; seed++) {
        const roll = dice(seed);
        let state = reduce(empty, resumed([{ chat: info('A'), events: [joined(1), joined(2, me)] }]));
        const server: ChatEvent[] = [];
        // The server's messages may come several times; what the agent does happens once.
        const deliver = (message: Message): void => {
            for (let i = 0; i <= Math.floor(roll() * 2); i++) state = reduce(state, message);
        };
        for (let n = 0; n < 12; n++) {
            const id = `c${n}`;
            const order = { op: 'say', chat: 'A', text: `line ${n}` } as const;
            state = reduce(state, {
                type: 'desk-ordered',
                pending: { id, at: 0, order, status: 'waiting', attempts: 0 },
            });
            state = reduce(state, { type: 'desk-sent', ids: [id] });
            server.push(said(3 + n, `line ${n}`, id));
            const fortune = roll();
            if (fortune < 0.4) deliver({ type: 'chat', chat: info('A'), events: server.slice(-1) });
            if (fortune < 0.6) deliver({ type: 'reply', id: id, ok: true });
            if (fortune > 0.8) deliver({ type: 'desk-lost', at: 0 });
        }
        const missed = server.filter((event) => event.index > state.chats['A']!.last || roll() < 0.3);
        deliver(resumed([{ chat: info('A'), events: missed }]));
        deliver({ type: 'transcript', id: 'o', chat: info('A'), events: [joined(1), joined(2, me), ...server] });
        expect(linesOf(state, 'A'), `seed ${seed}`).toEqual([]);
        expect(state.chats['A']!.events.filter((event) => event.type === 'said')).toEqual(server);
    }
});
