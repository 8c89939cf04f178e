"""What a net must beat: letters guessed from counts of the few letters before them."""

import numpy as np

HIGHEST = 8  # the longest n-gram: a letter and the seven before it


def bits_of_counts(text, highest=HIGHEST):
    """[bits per letter of the held-out part, for n-grams of 1, 2, ... `highest` letters].

    p(c | h) = (count(h c) + d(h) p(c | h')) / (count(h) + d(h)), where h' is h without its first
    letter, d(h) how many different letters followed h, and p without any h begins from 1 / V
    (Witten and Bell 1991, method C, in the form that mixes all orders). What never followed in the
    known part so gets what the shorter context says. The first letter held out is not guessed, as
    for a net.
    """
    ids, V, known = text.ids, len(text.letters), text.known
    held = np.arange(known + 1, len(ids))
    p, bits = np.full(len(held), 1 / V), []
    context = np.zeros(len(ids), np.int64)  # of each letter: which n - 1 letters stand before it
    for n in range(1, highest + 1):
        _, whole = np.unique(context * V + ids, return_inverse=True)  # the context with the letter
        seen = slice(n - 1, known)
        counts = np.bincount(whole[seen], minlength=whole.max() + 1)
        of_context = np.bincount(context[seen], minlength=context.max() + 1)
        first = np.unique(whole[seen], return_index=True)[1] + seen.start
        different = np.bincount(context[first], minlength=context.max() + 1)
        total = (of_context + different)[context[held]]
        mixed = counts[whole[held]] + different[context[held]] * p
        p = np.where(total > 0, mixed / np.maximum(total, 1), p)
        bits.append(float(-np.log2(p).mean()))
        context = np.concatenate([[0], whole[:-1]])  # the next letter's, one longer
    return bits
