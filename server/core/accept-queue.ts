/**
 * Connections that may wait to be accepted; the kernel caps it (net.core.somaxconn, 4,096 since Linux 5.4, 128 before). Of a room full of machines
 * that are switched on, those for which there is no place wait for TCP to try again, after 1, 3, 7, 15 and 31 seconds: Node's 511 are too few.
 */
export const ACCEPT_QUEUE = 4_096;
