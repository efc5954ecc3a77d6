/** What keeps a network interface from being given to a container. */
import { BunkerError } from "../errors.ts";

/** An interface of `linux.netDevices` cannot be moved. */
export class NetDeviceError extends BunkerError {
  readonly code = "NET_DEVICE";

  constructor(name: string, reason: string, cause?: unknown) {
    super(`Cannot move the network device "${name}" into the container: ${reason}`, { cause });
  }
}
