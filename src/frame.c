/* SPDX-License-Identifier: MIT */
/* The constants that frames are padded with. */
#include "frame.h"

const uint8_t frame_padding[FRAME_PAD];
