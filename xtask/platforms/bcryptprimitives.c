/* The one function of bcryptprimitives.dll that Rust's library calls; wine 8 does not have the library. */
unsigned char __stdcall SystemFunction036(void *buffer, unsigned long length);

__declspec(dllexport) int __stdcall ProcessPrng(void *buffer, unsigned long long length) {
    unsigned char *at = buffer;
    while (length > 0) {
        unsigned long part = length > 65536 ? 65536 : (unsigned long)length;
        if (!SystemFunction036(at, part)) {
            return 0;
        }
        at += part;
        length -= part;
    }
    return 1;
}
