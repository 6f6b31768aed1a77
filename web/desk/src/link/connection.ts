import { CometD, type Message } from 'cometd';
import { bytesOf } from '@halley/shared/text';
import type { Command } from '../wire/command';

/** What a connection tells. */
export interface Listener {
    /** A Bayeux session stands, or the one that was lost for a while is found again: now is the time to resume. */
    linked(transport: string): void;
    /** The connection is broken; it is being mended without anybody's help. */
    lost(): void;
    /** Something of the desk's came in. */
    delivered(data: unknown): void;
    /** A command cannot be sent, or was refused before it reached the desk's service; nothing else will be heard of it. */
    refused(id: string, why: string): void;
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

/** What the server takes in one message or body, in bytes, less some room for what Bayeux adds. */
const LARGEST = 250_000;
/** The error of a publish over a session that the server does not know any more; the client opens another one. */
const UNKNOWN_SESSION = '402';

/** Connects to the desk's Bayeux server at an absolute http address. */
export function connect(url: string, listener: Listener): Connection {
    const cometd = new CometD();
    cometd.configure({
        url,
        logLevel: 'warn',
        maxBackoff: LONGEST_PAUSE,
        connectTimeout: 5_000,
        maxSendBayeuxMessageSize: LARGEST,
    });
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
        if (message.successful) return;
        if (message.error === undefined || message.error.startsWith(UNKNOWN_SESSION)) shaken();
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
            for (const batch of batches(commands, listener)) {
                cometd.batch(() => {
                    for (const command of batch) {
                        cometd.publish(CHANNEL, command, (reply) => {
                            const error = reply.successful ? undefined : reply.error;
                            if (!open || error === undefined || error.startsWith(UNKNOWN_SESSION)) return;
                            listener.refused(command.id, `The server refused it (${error}).`);
                        });
                    }
                });
            }
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

/** Splits commands into batches that the server takes, in their order. What is too large by itself is refused here. */
function batches(commands: readonly Command[], listener: Listener): Command[][] {
    const all: Command[][] = [];
    let room = 0;
    for (const command of commands) {
        const size = bytesOf(JSON.stringify(command)) + 200;
        if (size > LARGEST) {
            listener.refused(command.id, 'It is too long.');
            continue;
        }
        if (size > room) {
            all.push([]);
            room = LARGEST;
        }
        all.at(-1)!.push(command);
        room -= size;
    }
    return all;
}
