/** A system line: what happened, in words. */
export interface Fact {
    readonly index: number;
    readonly at: number;
    readonly text: string;
    /** The address that the text ends with, if it is one to follow. */
    readonly url?: string;
    /** What belongs to it and is too much for a line. */
    readonly more?: string;
}
