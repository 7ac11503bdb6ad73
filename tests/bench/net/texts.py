# SPDX-License-Identifier: ISC
"""texts: what is sent, and what must come back, as files for the load generators.

Not natural text, but its words, lengths and punctuation, in an order that no two pieces share.
"""

import pathlib
import random

SIZE = 256 << 10

ENGLISH = """the of and to in a is that it for was on are as with they be at this have from or had by
hot but some what there we can out other were all your when up use word how said each she which their
time if will way about many then them would write like so these her long make thing see him two has
look more day could go come did my sound no most number who over know water than call first people
may down side been now find any new work part take get place made live where after back little only
round man year came show every good me give our under name very through just form much great think
say help low line before turn cause same mean differ move right boy old too does tell sentence set
three want air well also play small end put home read hand port large spell add even land here must
big high such follow act why ask men change went light kind off need house picture try us again""".split()

GREEK = """και το να του η της με που την από για είναι τα στο οι θα δεν τον σε στην μας ότι τους αυτό
στη ένα ως αλλά μια έχει όπως κατά μετά ή όταν πολύ πριν κάθε μπορεί γιατί εδώ χρόνια άνθρωπος δύο
ημέρα κόσμος ζωή νερό θάλασσα ουρανός δρόμος πόλη σπίτι λόγος λέξη γράμμα φωνή χέρι μάτι καρδιά ήλιος
φεγγάρι αστέρι βουνό ποτάμι δέντρο λουλούδι ψωμί κρασί λάδι μέλι γάλα τραπέζι παράθυρο πόρτα βιβλίο
σχολείο δάσκαλος μαθητής παιδί μητέρα πατέρας αδελφός φίλος ξένος γη φως σκοτάδι άνεμος βροχή χιόνι
άνοιξη καλοκαίρι φθινόπωρο χειμώνας πρωί βράδυ νύχτα ώρα λεπτό έτος μήνας εβδομάδα προϊόν μαϊμού""".split()


def compose(words, size):
    """About size bytes of sentences, in lower case."""
    chance, text, length = random.Random(1), [], 0
    while length < size:
        sentence = [chance.choice(words) for _ in range(chance.randint(4, 18))]
        text.append(", ".join((" ".join(sentence[:4]), " ".join(sentence[4:]))) +
                    chance.choice((". ", ".\n", "? ", ". ")))
        length += len(text[-1].encode())
    return "".join(text)


def write(folder):
    """english.request, english.copy, english.ascii, english.unicode; the same for greek."""
    for name, words in (("english", ENGLISH), ("greek", GREEK)):
        text = compose(words, SIZE)
        answers = {
            "request": text.encode(),
            "copy": text.encode(),
            "ascii": text.encode().upper(),
            "unicode": text.upper().encode(),
        }
        for kind, answer in answers.items():
            pathlib.Path(folder, f"{name}.{kind}").write_bytes(answer)
