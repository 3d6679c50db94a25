// SPDX-License-Identifier: Apache-2.0

#include "text/abbreviations.h"

#include <unicode/uchar.h>

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_split.h"
#include "text/utf8.h"

namespace sheaf {
namespace {

// One language. A list is words separated by spaces. Abbreviations are written
// without their last full stop and without spaces: "z.b" stands for "z.B." and
// "z. B.". An entry in lower case also counts with capitals. An entry that
// begins with a capital letter counts only with one: "Sun." is a day, "sun." is
// the end of a sentence.
//
// These need no entry:
//   - words that a capital letter rarely follows within a sentence ("etc."),
//     because a full stop before a lower-case letter never ends a sentence
//   - initials and abbreviations of parts with one or two letters ("U.N."),
//     which are recognized by their form and count as may_end
struct Table {
  const char* language;
  const char* never_ends = "";     // StopWord::kNeverEnds
  const char* may_end = "";        // StopWord::kMayEnd
  const char* before_number = "";  // StopWord::kBeforeNumber
  const char* openers = "";        // IsOpener(), in lower case
};

constexpr Table kTables[] = {
    {.language = "",  // words that all languages share
     .never_ends = "dr prof Mr Mrs Ms Mme Mlle Messrs ca vs cf e.g i.e",
     .may_end = "St Co Corp Inc Ltd Jr Sr",
     .before_number =
         "No Nos nr kl op Fig Figs Vol Vols pp Art Sec Eq Ch Tab Tel"},

    {.language = "en",
     .never_ends =
         "Drs Profs Rev Hon Gen Sen Rep Gov Pres Capt Cpt Col Lt Sgt Cpl Pvt "
         "Maj Cmdr Cdr Adm Brig Supt Insp Det Amb Atty Fr Mt Msgr Mx Wm "
         "Geo Chas Thos Benj Univ Dept eg v.s viz approx "
         "incl excl esp a.k.a",
     .may_end =
         "U.S U.K U.N E.U a.m p.m Ph.D M.D D.C Esq Bros Assn Blvd Ave Rd Sq "
         "Ln Hwy Pkwy Bldg Apt Ste Govt Natl Intl al est Calif Conn Mass Penn "
         "Tenn Fla Ariz Ont Que ft",
     .before_number =
         "Jan Feb Mar Apr Jun Jul Aug Sep Sept Oct Nov Dec Mon Tue Tues Wed "
         "Thu Thur Thurs Fri Sat Sun p ch sec ver ed eds max min oz lb lbs "
         "hr hrs no nos ex fig figs vol vols eq",
     .openers =
         "a an the he she it we you they i this that these those there here "
         "his her its our your their my nobody nothing none everyone "
         "everybody everything someone somebody something many each both "
         "other another few several such what who whose whom when where why "
         "how which if unless although though because since while as at in on "
         "by for from with without within under over about after before "
         "during until between among and but or nor yet then thus therefore "
         "however moreover meanwhile finally later today tomorrow yesterday "
         "now soon still also even only just perhaps maybe please yes no let "
         "let's do does did is are was were has have had can could would "
         "should must not never always sometimes often don't doesn't didn't "
         "isn't aren't wasn't weren't can't couldn't won't wouldn't shouldn't "
         "haven't hasn't to so all some one two three instead unfortunately"},

    {.language = "de",
     .never_ends =
         "Hr Hrn Fr Frl Dres Dipl Ing Mag Hptm Pfr hl Rev Chr Th Wm Ph Joh "
         "Frhr Gebr Fam Abt Univ z.b zb d.h dh i.d.r v.a u.u z.t m.e o.g s.o "
         "s.u i.a i.v i.s.d a.d z.zt d.i bzw bspw vgl inkl exkl evtl ggf "
         "sog einschl ausschl zzgl abzgl gem lt allg ehem urspr insb insbes "
         "geb gest verh med nat rer phil jur hrsg Red resp bes betr gegr "
         "entspr eigtl ungef "
         "mind zw Abb Tab Kap Bd Bde Ziff Anh Abschn",
     .may_end =
         "v.chr n.chr u.s.a Gen Str Pl Std min Sek Mio Mrd Tsd Stk Jh Jhd Hbf "
         "sen jun",
     .before_number =
         "Jan Jän Feb Febr Mär Mrz Apr Jul Aug Sep Sept Okt Nov Dez Abs Rn "
         "lit Aufl Jg Pos max tel Mo Di Mi Do Sa So",
     .openers =
         "der die das dem den des ein eine einen einem einer eines er sie es "
         "wir ihr ich du man dies diese dieser dieses diesen diesem jene kein "
         "keine keiner alle viele einige manche mein meine sein seine unser "
         "unsere euer ihre ihren ihrem in im an am auf aus bei beim mit nach "
         "von vom vor zu zum zur über unter um durch für gegen ohne seit bis "
         "während wegen trotz und aber oder denn doch sondern wenn als weil "
         "da dass ob obwohl damit nachdem bevor wie was wer wen wem wo wohin "
         "woher wann warum wieso weshalb welche welcher welches dann danach "
         "dort hier heute morgen gestern jetzt nun so auch nur noch schon "
         "nicht nie niemals ja nein bitte also deshalb daher trotzdem dennoch "
         "außerdem jedoch später früher zuerst schließlich endlich manchmal "
         "oft immer niemand jemand etwas nichts ist sind war waren hat haben "
         "hatte hatten wird werden kann können soll muss darf dabei dafür "
         "damals dadurch darum davon daran darauf zudem zwar allerdings "
         "inzwischen leider natürlich vielleicht ihm ihn uns mir dir mich "
         "dich beide jeder jede jedes"},

    {.language = "fr",
     .never_ends =
         "M MM Mmes Mlles Me Mgr Pr Ste Sts Gal Cdt Cne Lt Col Ch Th Ph Fr "
         "p.ex par.ex env c.-à-d c.à.d réf tél éd chap fig bd boul",
     .may_end = "Cie S.A av J.-C J.C O.N.U ex al",
     .before_number =
         "janv févr fév avr juil sept oct nov déc p art par t tom n vol",
     .openers =
         "le la les un une des du il elle ils elles on nous vous je tu ce cet "
         "cette ces c j l n s d qu son sa ses leur leurs notre nos votre vos "
         "mon ma mes en à au aux dans sur sous par pour avec sans chez vers "
         "depuis pendant après avant entre et mais ou donc or ni car si quand "
         "lorsque comme puisque parce que qui quoi où pourquoi comment "
         "combien quel quelle alors ensuite puis ainsi cependant pourtant "
         "toutefois enfin aujourd'hui hier demain maintenant ici là tout tous "
         "toutes chaque aucun aucune personne rien quelques plusieurs "
         "certains oui non ne pas très aussi même encore déjà toujours jamais "
         "est était sont a ont celui celle ceux malgré selon peut"},

    {.language = "es",
     .never_ends =
         "sr sra srta sres sras dra dres D dña lic ing arq gral cnel cap tte "
         "sgto Mons excmo excma ilmo ilma Sto Sta Fr profa hno hna p.ej ej "
         "p.e aprox cfr núm núms pág págs párr tel teléf izq dcha "
         "av avda fig figs vol máx mín",
     .may_end =
         "Ud Uds Vd Vds Srs EE.UU EEUU S.A S.L a.c d.c a.m p.m Cía Ltda Hnos",
     .before_number =
         "ene feb abr jun jul ago sep sept oct nov dic art arts s p t n min "
         "seg",
     .openers =
         "el la los las un una unos unas él ella ellos ellas yo tú nosotros "
         "usted ustedes este esta estos estas ese esa eso esto aquel aquella "
         "su sus mi mis tu tus nuestro nuestra en a al de del con sin por "
         "para según sobre bajo entre desde hasta tras durante y e o u pero "
         "sino aunque porque pues si cuando donde como mientras que qué quién "
         "cuándo dónde cómo cuál cuánto luego entonces después antes además "
         "también tampoco hoy ayer mañana ahora aquí allí ya no sí nunca "
         "siempre todo todos toda todas cada ningún ninguna nadie nada algo "
         "alguien algunos muchos varios otro otra es era son fue fueron está "
         "están hay había ha han se le les lo me te nos muy más menos solo "
         "así"},

    {.language = "it",
     .never_ends =
         "sig sigg sig.ra sig.na dott dott.ssa prof.ssa proff avv ing arch "
         "geom rag On mons Gen Col cap Ten Cav egr Gent gent.ma gent.mo spett "
         "Rev es ad.es p.es cfr tel fig figg pag pagg vol voll "
         "art artt",
     .may_end = "s.r.l s.p.a a.c d.c a.m p.m",
     .before_number = "feb apr mag giu lug ago sett ott nov dic p nn sec min",
     .openers =
         "il lo la i gli le un uno una l d dell nell all c n egli lui lei "
         "loro noi voi io tu essi questo questa questi queste quello quella "
         "quelli suo sua suoi sue mio mia nostro nostra in nel nella nei a al "
         "alla ai di del della dei da dal dalla con senza per su sul sulla "
         "tra fra sotto sopra dopo prima durante verso e ed o ma però se "
         "quando dove come mentre perché poiché che chi cosa quale quanto "
         "allora poi quindi dunque così inoltre infine oggi ieri domani ora "
         "adesso qui lì già non sì no mai sempre tutto tutti tutte ogni "
         "nessuno nessuna niente nulla qualcuno qualcosa alcuni molti è era "
         "sono erano ha hanno aveva si ci vi anche ancora solo più molto"},

    {.language = "pt",
     .never_ends =
         "sr sra srta srs sras dra drs dras D Dna profa eng exmo exma ilmo "
         "ilma "
         "Pe Sto Sta Gal Cel cap Maj Ten Sgt Alm arq Adv av Min Dep Gov Des "
         "p.ex aprox cfr núm pág págs tel fig figs vol máx mín",
     .may_end = "Ltda Cia S.A a.c d.c a.m p.m ex",
     .before_number =
         "jan fev mar abr jun jul ago set out nov dez art arts séc p t n nr "
         "seg",
     .openers =
         "o a os as um uma uns umas ele ela eles elas eu tu nós você vocês "
         "este esta estes estas esse essa isso isto aquele aquela seu sua "
         "seus suas meu minha nosso nossa em no na nos nas ao à aos às de do "
         "da dos das com sem por pelo pela para segundo sobre sob entre desde "
         "até após durante e ou mas porém se quando onde como enquanto porque "
         "pois que quem qual quanto então depois antes além também hoje ontem "
         "amanhã agora aqui ali já não sim nunca sempre tudo todo todos toda "
         "todas cada nenhum nenhuma ninguém nada algo alguém alguns muitos "
         "vários outro outra é era são foi foram está estão há havia tem têm "
         "muito mais só assim contudo"},

    {.language = "nl",
     .never_ends =
         "dhr mevr mw drs ir ing ds jhr mgr kol gen lt kapt Ch Th Joh Chr "
         "bijv bv b.v d.w.z dwz o.a m.a.w resp incl excl vgl t.a.v t.o.v "
         "i.v.m m.b.t z.g zgn evt n.a.v i.p.v d.m.v nl m.n t.b.v "
         "i.t.t t.g.v afb tab hfst blz pag gem vnl zog afd m.u.v fam",
     .may_end = "a.u.b m.i e.d e.a d.d v.chr n.chr jl mln mld str pl",
     .before_number =
         "jan feb febr mrt apr jun jul aug sep sept okt nov dec art p nr nrs "
         "lid tel max min",
     .openers =
         "de het een hij zij ze wij we jij je u ik men dit dat deze die er "
         "hier daar zijn haar hun ons onze mijn jouw uw in op aan bij met van "
         "voor na naar uit over onder tussen tijdens door om tegen zonder "
         "sinds tot wegens ondanks en maar of want dus als toen omdat hoewel "
         "terwijl wanneer waar wat wie hoe waarom welke dan daarna later "
         "vandaag morgen gisteren nu zo ook alleen nog al niet nooit ja nee "
         "daarom echter bovendien toch eerst eindelijk soms vaak altijd "
         "niemand iemand iets niets alle veel sommige enkele elke iedere is "
         "was waren heeft hebben had wordt worden kan kunnen zal moet "
         "misschien helaas"},

    {.language = "pl",
     .never_ends =
         "hab inż mgr doc płk ppłk mjr kpt ppor o sierż kpr św ks bp abp kard "
         "ul al pl os np tj t.j m.in tzw tzn wg zob por rys tab nr godz red "
         "dyr woj pow ang niem",
     .may_end = "r w im ok gen zł tys mln mld n.e p.n.e z.o.o j.w",
     .before_number =
         "stycz kwiet paźdz dn s str ust art pkt poz lit par t cz rozdz p max "
         "min tel",
     .openers =
         "on ona ono oni one ja ty my wy ten ta to te tamten jego jej ich mój "
         "moja nasz twój swój w we na nad pod przed za z ze do od dla o po "
         "przez przy bez u między podczas mimo i a ale lub albo czy więc bo "
         "ponieważ gdy kiedy jeśli jeżeli chociaż że żeby aby gdzie co kto "
         "jak dlaczego jaki jaka jakie który która które potem później "
         "następnie wtedy teraz dziś dzisiaj wczoraj jutro tu tam tak nie "
         "nigdy zawsze już jeszcze tylko nawet też także jednak dlatego "
         "wszyscy wszystko każdy żaden nikt nic ktoś coś kilka wiele był była "
         "było byli jest są ma miał się może"},

    {.language = "ru",
     .never_ends =
         "гр проф акад доц инж ул пер пл просп наб корп респ пос дер т.е т.к "
         "т.н см ср напр англ нем фр лат греч св изд прим Дж тыс",
     .may_end = "г гг в вв с п д о р ч гор им ген обл н.э",
     .before_number =
         "янв февр фев апр июн июл авг сент сен окт нояб ноя дек рис табл гл "
         "род сер ок стр ст кв разд т тт пп руб коп",
     .openers =
         "он она оно они мы вы я ты это этот эта эти тот та те его её ее их "
         "мой моя моё наш наша ваш ваша твой в во на по с со из к ко о об от "
         "до для за при под над у через перед после без между и а но или да "
         "нет не ни если когда где как что чтобы кто почему зачем куда откуда "
         "какой какая какие потом затем тогда там здесь тут сейчас теперь "
         "сегодня завтра вчера позже однако поэтому также тоже уже ещё еще "
         "только даже может был была было были есть так такой все всё всю "
         "каждый никто ничто ничего один многие несколько хотя потому пока"},

    {.language = "uk",
     .never_ends =
         "гр проф акад доц інж ім вул пров пл просп наб корп респ т.зв т.е "
         "т.к т.ч напр див пор англ нім фр лат грец св вид прим Дж тис",
     .may_end = "м с о п р рр ст обл ген оз н.е",
     .before_number =
         "січ лют бер квіт черв лип верес жовт рис табл гл стор буд т тт пп ч "
         "розд кв грн коп бл",
     .openers =
         "він вона воно вони ми ви я ти це цей ця ці той та те ті його її їх "
         "мій моя наш наша ваш ваша твій в у на по з із зі до від для за при "
         "під над через перед після без між і й а але або чи так ні не якщо "
         "коли де як що щоб хто чому навіщо куди звідки який яка які потім "
         "згодом тоді там тут зараз тепер сьогодні завтра вчора пізніше однак "
         "проте тому також теж вже ще лише тільки навіть може був була було "
         "були є все всі кожен ніхто ніщо нічого хтось щось один багато "
         "кілька хоча поки"},
};

// German writes nouns with a capital, so that a capital letter after a number
// and a full stop has little meaning. A number with one of these words before
// or after it is an ordinal.
constexpr char kBeforeGermanOrdinal[] =
    "der die das dem den des ein eine einen einem einer eines am im vom zum "
    "zur beim bis ab seit nach vor mein meine meinen meinem meiner dein deine "
    "deinem sein seine seinen seinem seiner ihr ihre ihren ihrem ihrer unser "
    "unsere unserem unserer euer eure jeder jede jedes jeden jedem dieser "
    "diese dieses diesem in als zu gegen pro kein keine";
constexpr char kAfterGermanOrdinal[] =
    "januar jänner februar märz april mai juni juli august september oktober "
    "november dezember jan feb febr mär apr jun jul aug sep sept okt nov dez "
    "jahrhundert jahrhunderts jahrtausend weltkrieg weltkriegs mal platz tag "
    "klasse stock etage auflage runde liga bundesliga geburtstag jahrestag "
    "quartal halbjahr semester lebensjahr bezirk";
// The other languages whose ordinals have a full stop. Their nouns and months
// are in lower case, so that only dates in figures and Roman numerals matter.
constexpr char kOtherOrdinalLanguages[] =
    "bs cs da et fi hr hu is lb lv nb nn no pl sk sl sr tr";

constexpr char kEnglishSpeechVerbs[] =
    "said asked replied cried shouted answered whispered added exclaimed "
    "thought wondered says asks yelled called muttered";

// The word in lower case, as the tables have it.
std::string ToLower(absl::string_view word) {
  std::string lower;
  for (size_t at = 0; at < word.size();) {
    AppendCharacter(u_tolower(NextCharacter(word, at)), lower);
  }
  return lower;
}

bool BeginsWithCapital(absl::string_view word) {
  if (word.empty()) return false;
  size_t at = 0;
  const int32_t first = NextCharacter(word, at);
  return u_tolower(first) != first;
}

// The part before an apostrophe: "It" for "It's", "C" for "C’est".
absl::string_view BeforeApostrophe(absl::string_view word) {
  return word.substr(0, std::min(word.find('\''), word.find("\u2019")));
}

}  // namespace

absl::string_view PrimaryLanguage(absl::string_view language) {
  return language.substr(0, language.find_first_of("-_"));
}

void SentenceWords::AddStops(const char* words, StopWord stop) {
  for (absl::string_view word : absl::StrSplit(words, ' ', absl::SkipEmpty())) {
    Word& entry = words_[ToLower(word)];
    entry.stop = stop;
    entry.needs_capital = BeginsWithCapital(word);
  }
}

void SentenceWords::Mark(const char* words, bool Word::*fact) {
  for (absl::string_view word : absl::StrSplit(words, ' ', absl::SkipEmpty())) {
    words_[std::string(word)].*fact = true;
  }
}

std::unordered_map<std::string, SentenceWords> SentenceWords::MakeAll() {
  std::unordered_map<std::string, SentenceWords> all;
  for (const Table& table : kTables) {
    SentenceWords& words = all[table.language];
    if (*table.language != '\0') words = all[""];  // the first table
    words.AddStops(table.never_ends, StopWord::kNeverEnds);
    words.AddStops(table.may_end, StopWord::kMayEnd);
    words.AddStops(table.before_number, StopWord::kBeforeNumber);
    words.Mark(table.openers, &Word::is_opener);
  }
  all["en"].Mark(kEnglishSpeechVerbs, &Word::is_speech_verb);
  SentenceWords& german = all["de"];
  german.Mark(kBeforeGermanOrdinal, &Word::is_before_ordinal);
  german.Mark(kAfterGermanOrdinal, &Word::is_after_ordinal);
  german.has_ordinals_ = true;
  german.street_suffix_ = "str";
  for (absl::string_view language :
       absl::StrSplit(kOtherOrdinalLanguages, ' ')) {
    const auto [it, is_new] = all.try_emplace(std::string(language), all[""]);
    it->second.has_ordinals_ = true;
  }
  return all;
}

const SentenceWords& SentenceWords::For(absl::string_view language) {
  static const auto* all =
      new std::unordered_map<std::string, SentenceWords>(MakeAll());
  const auto it = all->find(std::string(PrimaryLanguage(language)));
  return it != all->end() ? it->second : all->at("");
}

SentenceWords::Word SentenceWords::Lookup(absl::string_view word) const {
  const auto it = words_.find(ToLower(word));
  return it != words_.end() ? it->second : Word();
}

StopWord SentenceWords::Find(absl::string_view word) const {
  const Word entry = Lookup(word);
  if (entry.stop != StopWord::kNone) {
    return entry.needs_capital && !BeginsWithCapital(word) ? StopWord::kNone
                                                           : entry.stop;
  }
  return !street_suffix_.empty() && absl::EndsWith(word, street_suffix_)
             ? StopWord::kMayEnd
             : StopWord::kNone;
}

bool SentenceWords::IsOpener(absl::string_view word) const {
  return Lookup(word).is_opener || Lookup(BeforeApostrophe(word)).is_opener;
}

bool SentenceWords::IsBeforeOrdinal(absl::string_view word) const {
  return Lookup(word).is_before_ordinal;
}

bool SentenceWords::IsAfterOrdinal(absl::string_view word) const {
  return Lookup(word).is_after_ordinal;
}

bool SentenceWords::IsSpeechVerb(absl::string_view word) const {
  return Lookup(word).is_speech_verb;
}

}  // namespace sheaf
