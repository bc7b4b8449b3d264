/* The one function of glibc's that gcc's unwinder calls: where the table of a statically linked program's frames is. */
#define _GNU_SOURCE
#include <link.h>

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

int _dl_find_object(void *pc, struct dl_find_object *result) {
    (void)pc;
    return dl_iterate_phdr(find, result) == 1 ? 0 : -1;
}
