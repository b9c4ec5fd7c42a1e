/* Python's word for os_peers: a descriptor, or on Windows the names of the objects. */
#ifndef TYPEDSHM_PEERS_H
#define TYPEDSHM_PEERS_H

#include "native.h"
#include "os/os.h"

/* Open the peers of a region. `handle`: a descriptor that nobody maps, or (Windows) the prefix of the objects' names
 * and their security descriptor in SDDL. -1 and an error. */
int peers_open(os_peers *peers, PyObject *handle);
/* Give up the presence entry; who sleeps may still be woken. */
void peers_leave(os_peers *peers);
/* Nobody sleeps any more. Also for peers that were never opened but zeroed. */
void peers_close(os_peers *peers);

#endif
