// The loops of kernels.h, for vectors of LUDUS_LANES numbers, as LUDUS_MADE.
//
// Nothing of the standard library's is compiled here: the linker may keep one copy of an inline function for the whole
// program, and one compiled for vectors that a processor lacks would end it.

#include "kernels/attention.h"
#include "kernels/attention_back.h"
#include "kernels/distribution.h"
#include "kernels/few.h"
#include "kernels/rows.h"

namespace ludus {

extern const Kernels LUDUS_MADE;
const Kernels LUDUS_MADE{
    LUDUS_NAME, norm, norm_backward, rotate, gated, gated_backward, scratch, attend, LANES, scratch_back, attend_back,
    measure, log_probability, draw, logits_gradient, VECTORS_MAX * LANES, scratch_few, lay_out_few, multiply_few};

} // namespace ludus
