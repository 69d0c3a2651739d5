/** Events that change what is told of an image, or of the hosts that run it. */
export const IMAGE_KINDS = [
  'image-stored',
  'image-removed',
  'image-damaged',
  'host-enrolled',
  'approved',
  'assigned',
  'attempt-began',
  'attempt-ended',
  'host-removed',
  'retired',
] as const;
