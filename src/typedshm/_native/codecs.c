/* The codecs of all kinds of fields. */
#include "codecs.h"

#include "array.h"
#include "nested.h"
#include "number.h"
#include "text.h"
#include "view.h"

static const field_codec *const tables[] = {number_codecs, text_codecs, nested_codecs, array_codecs, view_codecs, NULL};

int codecs_register(PyObject *module) {
    (void)module;
    field_set_codecs(tables);
    return 0;
}
