/* A program without Rust's standard library around the static library. */
int wakeful_three_ticks(void);
#ifdef SIMULATED
int wakeful_simulated(void);
#else
static int wakeful_simulated(void) { return 0; }
#endif

/* The toolchain's own build of alloc names it; where a panic doesn't unwind, nobody calls it. */
void rust_eh_personality(void) {}

int main(void) {
    return wakeful_three_ticks() || wakeful_simulated();
}
