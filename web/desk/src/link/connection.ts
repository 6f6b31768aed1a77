import { CometD, type Message } from 'cometd';
import type { Command } from '../wire/command';

/** What a connection tells. */
export interface Listener {
    /** A Bayeux session stands, or the one that was lost for a while is found again: now is the time to resume. */
    linked(transport: string): void;
    /** The connection is broken; it is being mended without anybody's help. */
    lost(): void;
    /** Something of the desk's came in. */
    delivered(data: unknown): void;
    /** Any sign of life from the server. */
    heard(): void;
    /** A handshake or a connect was refused or failed: the sign-in may have lapsed. */
    doubted(): void;
}

/** A way to the server that mends itself for as long as it is not closed. */
export interface Connection {
    /** Sends commands in this order. What becomes of them shows in what is delivered, or in a loss. */
    publish(commands: readonly Command[]): void;
    close(): void;
}

const CHANNEL = '/service/desk';
const LONGEST_PAUSE = 4_000;
const SHAKEN_PAUSE = 1_000;
const WATCH = 3_000;

/** Connects to the desk's Bayeux server at an absolute http address. */
export function connect(url: string, listener: Listener): Connection {
    const cometd = new CometD();
    cometd.configure({ url, logLevel: 'warn', maxBackoff: LONGEST_PAUSE, connectTimeout: 5_000 });
    cometd.unregisterTransport('callback-polling');
    let broken = true;
    let open = true;

    const linked = (): void => {
        broken = false;
        listener.linked(cometd.getTransport()?.type ?? '');
    };
    // A WebSocket that is refused does not say why, so every failure is a reason to ask about the sign-in.
    const lost = (): void => {
        broken = true;
        listener.lost();
        listener.doubted();
    };
    // A publish that fails while the session stands leaves it unclear what arrived. Resuming clears it up.
    const shaken = (): void => {
        if (broken) return;
        listener.lost();
        setTimeout(() => {
            if (open && !broken) linked();
        }, SHAKEN_PAUSE);
    };
    // The browser's word about the network is a hint: a resume finds out within seconds whether the connection lives.
    const probe = (): void => {
        if (!broken) linked();
    };
    const on = (channel: string, react: (message: Message) => void): void => {
        cometd.addListener(channel, (message) => {
            if (!open) return;
            if (message.successful !== false) listener.heard();
            react(message);
        });
    };

    on('/meta/handshake', (message) => {
        if (message.successful) return linked();
        lost();
    });
    on('/meta/connect', (message) => {
        if (!message.successful) return lost();
        if (broken) linked();
    });
    on('/meta/publish', (message) => {
        if (!message.successful) shaken();
    });
    on(CHANNEL, (message) => listener.delivered(message.data));

    // An advice not to reconnect leaves the client still. The desk goes on regardless, at a gentle pace.
    const watch = setInterval(() => {
        if (!cometd.isDisconnected()) return;
        lost();
        cometd.handshake();
    }, WATCH);
    window.addEventListener('online', probe);
    window.addEventListener('offline', probe);
    cometd.handshake();

    return {
        publish(commands) {
            if (cometd.isDisconnected()) return;
            cometd.batch(() => {
                for (const command of commands) cometd.publish(CHANNEL, command);
            });
        },
        close() {
            open = false;
            clearInterval(watch);
            window.removeEventListener('online', probe);
            window.removeEventListener('offline', probe);
            cometd.disconnect();
        },
    };
}
