/** Tells a chat that its agent types, with a preview, or has stopped. */
export type Tell = (on: boolean, text: string) => void;

const PACE = 1_000;
const QUIET = 5_000;

/**
 * Turns keystrokes into signals: at most one a second while the agent types, the latest text always
 * among them, and one that says it is over after five seconds of quiet or when the field is empty.
 */
export class TypingSignal {
    private readonly tell: Tell;
    private last = -PACE;
    private on = false;
    private text = '';
    private later: ReturnType<typeof setTimeout> | undefined;
    private quiet: ReturnType<typeof setTimeout> | undefined;

    constructor(tell: Tell) {
        this.tell = tell;
    }

    /** The field's text changed by the agent's hand. */
    typed(text: string): void {
        this.text = text;
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
        if (was) this.tell(false, '');
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
        this.tell(true, this.text);
    }
}
