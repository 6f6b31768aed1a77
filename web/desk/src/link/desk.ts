import { freshId } from '@halley/shared/ids';
import type { Store } from '@halley/shared/storage';
import { shallowRef, type ShallowRef } from 'vue';
import { missing } from '../state/list';
import { due, unsent } from '../state/outbox';
import { reduce, type Message } from '../state/reduce';
import { cursorOf, empty, type State } from '../state/state';
import type { Command, Order, Signal } from '../wire/command';
import { readDelivery } from '../wire/delivery';
import type { Account } from '../wire/shapes';
import type { Connection, Listener } from './connection';
import { readKept, writeKept } from './kept';

/** What a desk needs of its surroundings. */
export interface Surroundings {
    readonly store: Store;
    connect(listener: Listener): Connection;
    /** Told the server's clock whenever it is known. */
    serverTime(now: number): void;
    /** Told when the sign-in may have lapsed. */
    doubted(): void;
}

const RESUME_PATIENCE = 6_000;
const HELD_PAUSE = 2_000;

/**
 * The desk behind the page: it turns what comes in and what the agent does into messages for the
 * reducer, and sends what the state says is due. It holds no truth of its own besides the state.
 */
export class Desk {
    readonly state: ShallowRef<State>;
    /** When the server was last heard of, by this computer's clock. */
    readonly heard = shallowRef(0);
    readonly account: Account;
    private readonly around: Surroundings;
    private readonly connection: Connection;
    private readonly released = new Set<ReturnType<typeof setTimeout>>();
    private patience: ReturnType<typeof setTimeout> | undefined;
    private open = true;

    constructor(account: Account, around: Surroundings) {
        this.account = account;
        this.around = around;
        const kept = readKept(around.store, account.id);
        this.state = shallowRef<State>({
            ...empty,
            link: { ...empty.link, since: Date.now() },
            outbox: unsent(kept.lines),
            order: kept.order,
            selected: kept.selected,
        });
        this.connection = around.connect({
            linked: (transport) => this.linked(transport),
            lost: () => this.dispatch({ type: 'desk-lost', at: Date.now() }),
            delivered: (data) => this.delivered(data),
            heard: () => (this.heard.value = Date.now()),
            doubted: () => around.doubted(),
        });
    }

    /** Has something done, now or as soon as the connection allows, exactly once. */
    order(order: Order): void {
        const pending = { id: freshId(), at: Date.now(), order, status: 'waiting' as const };
        this.dispatch({ type: 'desk-ordered', pending });
    }

    /** Sends what is of use only now. */
    signal(signal: Signal): void {
        if (this.state.value.link.phase === 'up') this.connection.publish([{ ...signal, id: freshId() }]);
    }

    /** Sends a failed line again. */
    retry(id: string): void {
        this.dispatch({ type: 'desk-retried', id, fresh: freshId() });
    }

    /** Changes the state by a message, and does what follows from it. */
    dispatch(message: Message): void {
        if (!this.open) return;
        const before = this.state.value;
        const after = reduce(before, message);
        if (after === before) return;
        this.state.value = after;
        writeKept(this.around.store, this.account.id, after, before);
        if (after.link.phase === 'resuming' && before.link.phase === 'up' && message.type === 'reply') this.resume();
        this.releaseLater(after, before);
        this.flush();
    }

    /** Lets go of the connection and of every timer; the desk does nothing after this. */
    close(): void {
        this.open = false;
        clearTimeout(this.patience);
        for (const timer of this.released) clearTimeout(timer);
        this.connection.close();
    }

    private linked(transport: string): void {
        this.dispatch({ type: 'desk-linked', transport, at: Date.now() });
        this.resume();
    }

    private resume(): void {
        clearTimeout(this.patience);
        this.patience = setTimeout(() => {
            if (this.state.value.link.phase === 'resuming') this.resume();
        }, RESUME_PATIENCE);
        this.connection.publish([{ op: 'resume', id: freshId(), cursor: cursorOf(this.state.value) }]);
    }

    private delivered(data: unknown): void {
        const delivery = readDelivery(data);
        if (!delivery) return;
        if (delivery.type === 'resumed') this.around.serverTime(delivery.now);
        this.dispatch(delivery);
        if (delivery.type === 'resumed') this.fetchMissing();
    }

    /** The list of before a reload may hold closed chats, which a resume does not bring back. */
    private fetchMissing(): void {
        for (const chat of missing(this.state.value)) this.order({ op: 'open', chat });
    }

    private flush(): void {
        const ready = due(this.state.value);
        if (ready.length === 0) return;
        const commands: Command[] = ready.map(({ id, order }) => ({ ...order, id }));
        this.dispatch({ type: 'desk-sent', ids: commands.map((command) => command.id) });
        this.connection.publish(commands);
    }

    private releaseLater(after: State, before: State): void {
        if (after.outbox === before.outbox) return;
        for (const { id, status } of after.outbox) {
            if (status !== 'held' || before.outbox.some((one) => one.id === id && one.status === 'held')) continue;
            const timer = setTimeout(() => {
                this.released.delete(timer);
                this.dispatch({ type: 'desk-released', id });
            }, HELD_PAUSE);
            this.released.add(timer);
        }
    }
}
