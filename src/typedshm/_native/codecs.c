/* The codecs of all kinds of fields. */
#include "codecs.h"

#include "ring/view.h"
#include "struct/array.h"
#include "struct/datetime.h"
#include "struct/datetime64.h"
#include "struct/nested.h"
#include "struct/number.h"
#include "struct/optional.h"
#include "struct/text.h"
#include "struct/timestamp.h"

static const field_codec *const tables[] = {
    number_codecs, optional_codecs, datetime_codecs, datetime64_codecs, timestamp_codecs,
    text_codecs,   nested_codecs,   array_codecs,    view_codecs,       NULL};

int codecs_register(PyObject *module) {
    (void)module;
    field_set_codecs(tables);
    return 0;
}
