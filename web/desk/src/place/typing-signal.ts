/** Tells a chat that its agent types, or has stopped. */
export type Tell = (on: boolean) => void;

const PACE = 4_000;
const QUIET = 5_000;

/**
 * Turns keystrokes into signals: at most one every four seconds while the agent types, and one that says it is over after five seconds of quiet or when the field is empty.
 */
export class TypingSignal {
    private readonly tell: Tell;
    private last = -PACE;
    private on = false;
    private later: ReturnType<typeof setTimeout> | undefined;
    private quiet: ReturnType<typeof setTimeout> | undefined;

    constructor(tell: Tell) {
        this.tell = tell;
    }

    /** The field's text changed by the agent's hand. */
    typed(text: string): void {
        if (text.trim() === '') return this.stop();
        clearTimeout(this.quiet);
        this.quiet = setTimeout(() => this.stop(), QUIET);
        if (this.later !== undefined) return;
        const wait = this.last + PACE - Date.now();
        if (wait <= 0) this.send();
        else this.later = setTimeout(() => this.send(), wait);
    }

    /** The agent stopped, or went to another chat. */
    stop(): void {
        const was = this.on;
        this.sent();
        if (was) this.tell(false);
    }

    /** The line has gone out, which says by itself that the typing is over. */
    sent(): void {
        clearTimeout(this.later);
        clearTimeout(this.quiet);
        this.later = undefined;
        this.quiet = undefined;
        this.on = false;
    }

    private send(): void {
        this.later = undefined;
        this.last = Date.now();
        this.on = true;
        this.tell(true);
    }
}
