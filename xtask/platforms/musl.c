/* What gcc's unwinder, which is built for glibc, needs of it in a program that is statically linked with musl. */
#define _GNU_SOURCE
#include <link.h>
#include <pthread.h>

/* Functions that it refers to weakly, which does not bring them in. */
__attribute__((used)) static void *const threads[] = {
    pthread_once, pthread_mutex_lock, pthread_mutex_unlock, pthread_key_create, pthread_getspecific, pthread_setspecific,
};

struct dl_find_object {
    unsigned long long flags;
    void *map_start, *map_end;
    struct link_map *link_map;
    void *eh_frame;
    unsigned long long reserved[7];
};

static int find(struct dl_phdr_info *info, size_t size, void *result) {
    (void)size;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        if (info->dlpi_phdr[i].p_type == PT_GNU_EH_FRAME) {
            ((struct dl_find_object *)result)->eh_frame = (void *)(info->dlpi_addr + info->dlpi_phdr[i].p_vaddr);
            return 1;
        }
    }
    return 0;
}

/* Where the table of the frames is. */
int _dl_find_object(void *pc, struct dl_find_object *result) {
    (void)pc;
    return dl_iterate_phdr(find, result) == 1 ? 0 : -1;
}
