/** DHCP options that this room knows by name (RFC 2132, 3004, 3046, 4578; 175 is iPXE's own). */
export const OPTION = {
  subnetMask: 1,
  router: 3,
  vendorOptions: 43,
  requestedAddress: 50,
  overload: 52,
  messageType: 53,
  serverId: 54,
  parameterList: 55,
  maxMessageSize: 57,
  vendorClass: 60,
  tftpServerName: 66,
  bootFile: 67,
  userClass: 77,
  relayAgent: 82,
  architecture: 93,
  interfaceId: 94,
  machineId: 97,
  ipxe: 175,
} as const;

/** Option 53 (RFC 2132, 9.6). */
export const MESSAGE = {
  discover: 1,
  offer: 2,
  request: 3,
  decline: 4,
  ack: 5,
  nak: 6,
  release: 7,
  inform: 8,
} as const;

/** Inside option 43 of PXE (PXE 2.1, table 2-1). */
export const PXE_OPTION = { discoveryControl: 6, bootItem: 71 } as const;

/** Inside option 175: what an iPXE was built with. */
export const IPXE_FEATURE = { http: 19 } as const;
