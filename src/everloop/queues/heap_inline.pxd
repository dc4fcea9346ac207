# Into a heap and within it: what every start and reset of a timer does. Inline, as pending_inline.pxd.
from cpython.object cimport PyObject
from everloop.clock cimport nanoseconds
from everloop.queues.entry cimport Entry
from everloop.queues.heap cimport Heap, HeapNode

cdef inline void put(HeapNode* nodes, size_t place, HeapNode node) noexcept:
    nodes[place] = node
    (<Entry>node.watcher).position = <unsigned int>place

cdef inline void sift_up(HeapNode* nodes, unsigned int place, HeapNode node) noexcept:
    """Put node at place or above, where it is not due before its parent."""
    cdef unsigned int parent
    while place:
        parent = (place - 1) // 4
        if nodes[parent].at <= node.at:
            break
        put(nodes, place, nodes[parent])
        place = parent
    put(nodes, place, node)

cdef inline void insert(Heap heap, Entry watcher, nanoseconds at) noexcept:
    """Add a watcher to a heap that has room for it."""
    cdef HeapNode node
    node.at = at
    node.watcher = <PyObject*>watcher
    heap.count += 1
    sift_up(heap.nodes, heap.count - 1, node)

cdef inline void postpone(Heap heap, Entry watcher, nanoseconds at) noexcept:
    """Heap.move(), which is one step where there is nothing below the watcher's node."""
    cdef unsigned int place = watcher.position
    if at >= heap.nodes[place].at and place * 4 + 1 >= heap.count:
        heap.nodes[place].at = at
    else:
        heap.move(watcher, at)
