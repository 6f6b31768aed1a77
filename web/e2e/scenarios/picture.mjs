export const picture = [];
