// How bright a picture is, 0 to 1, from the one number that the model gives.
export const SIDE = __SIDE__;
export const brightness = (output) => output[0];
