// How much input may be on its way to a command without a terminal. The data channel's own back-pressure would not do: a
// command that does not read its input would hold up the signals behind it. So the client sends no more than this ahead,
// the agent takes all of it at once, and each `PayloadFlag.inputRoom` is leave to send another `INPUT_STEP`.

/** Bytes that the client may send before it hears of any being taken. */
export const INPUT_WINDOW = 1024 * 1024
/** Bytes that each `PayloadFlag.inputRoom` stands for. */
export const INPUT_STEP = 128 * 1024
