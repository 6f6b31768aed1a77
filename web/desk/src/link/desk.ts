import { freshId } from '@halley/shared/ids';
import type { Store } from '@halley/shared/storage';
import { shallowRef, type ShallowRef } from 'vue';
import { unsent } from '../state/outbox';
import { step, type Effect, type Message } from '../state/reduce';
import { cursorOf, empty, type State } from '../state/state';
import type { Order, Signal } from '../wire/command';
import { readDelivery } from '../wire/delivery';
import type { Account, Agent } from '../wire/shapes';
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
    /** Told when another agent has signed in in this browser, so that the connection is theirs now. */
    replaced(by: Agent): void;
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
    private readonly inbox: Message[] = [];
    private running = false;
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
            readBefore: kept.read,
        });
        this.connection = around.connect({
            linked: (transport) => this.dispatch({ type: 'desk-linked', transport, at: Date.now() }),
            refused: (id, why) => this.dispatch({ type: 'desk-refused', id, why }),
            lost: () => this.dispatch({ type: 'desk-lost', at: Date.now() }),
            delivered: (data) => this.delivered(data),
            heard: () => (this.heard.value = Date.now()),
            doubted: () => around.doubted(),
        });
    }

    /** Has something done, now or as soon as the connection allows, exactly once. */
    order(order: Order): void {
        const pending = { id: freshId(), at: Date.now(), order, status: 'waiting' as const, attempts: 0 };
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

    /** Changes the state by a message and carries out its effects; those may bring further messages, which wait. */
    dispatch(message: Message): void {
        if (!this.open) return;
        this.inbox.push(message);
        if (this.running) return;
        this.running = true;
        try {
            for (let next = this.inbox.shift(); next && this.open; next = this.inbox.shift()) this.handle(next);
        } finally {
            this.running = false;
        }
    }

    /** Lets go of the connection and of every timer; the desk does nothing after this. */
    close(): void {
        this.open = false;
        clearTimeout(this.patience);
        for (const timer of this.released) clearTimeout(timer);
        this.connection.close();
    }

    private handle(message: Message): void {
        const before = this.state.value;
        const { state, effects } = step(before, message);
        if (state !== before) {
            this.state.value = state;
            writeKept(this.around.store, this.account.id, state, before);
        }
        for (const effect of effects) this.perform(effect);
    }

    private perform(effect: Effect): void {
        switch (effect.do) {
            case 'resume':
                return this.resume();
            case 'send':
                return this.connection.publish(effect.commands.map(({ id, order }) => ({ ...order, id })));
            case 'release':
                return this.releaseLater(effect.id);
            case 'open':
                for (const chat of effect.chats) this.order({ op: 'open', chat });
        }
    }

    private resume(): void {
        clearTimeout(this.patience);
        this.patience = setTimeout(() => {
            if (this.state.value.link.phase === 'resuming') this.resume();
        }, RESUME_PATIENCE);
        const id = freshId();
        this.dispatch({ type: 'desk-resuming', id });
        const state = this.state.value;
        this.connection.publish([{ op: 'resume', id, ...(state.cursorless ? {} : { cursor: cursorOf(state) }) }]);
    }

    private delivered(data: unknown): void {
        const delivery = readDelivery(data);
        if (!delivery) return;
        // The session's cookie is the browser's, not the tab's: somebody else may have signed in in another tab.
        if ('agent' in delivery && delivery.agent.id !== this.account.id) return this.around.replaced(delivery.agent);
        if (delivery.type === 'resumed') this.around.serverTime(delivery.now);
        this.dispatch(delivery);
    }

    private releaseLater(id: string): void {
        const timer = setTimeout(() => {
            this.released.delete(timer);
            this.dispatch({ type: 'desk-released', id });
        }, HELD_PAUSE);
        this.released.add(timer);
    }
}
