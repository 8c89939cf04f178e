"""Tables of corrections for the name lists: data only, no logic.

DROPPED says which names are taken out of which list, each group with its reason; upper and
lower case do not matter and an underscore stands for a space.  A name that no source offers is
reported as an error by the builder, so that this file cannot go stale unnoticed.
"""

DROPPED = {
    "Arabic": {
        "not Arabic: European, Jewish, Sudanic, Persian or South Asian": """
            Abraham Isaac Lopez Deng Garang Diop Traore Azoulay Hosseini Khan Mirza Shah
            Shahroudi Nana Bey""",
        "a nickname, a title, a lone particle or a patronymic, no surname": """
            Mido Pasha Abu El_Din Bin_Faisal""",
        "two surnames of one person": "Ishak-Boushaki",
    },
    "Chinese": {
        "Vietnamese or Korean spelling of the surname, found in those lists": """
            Bui Gim Kim Luu Ly Seong""",
        "spelling of an input method or a linguist, not of a passport": "Lv Soeng Kwaan",
    },
    "Czech": {
        "feminine form": """
            Behounkova Chalupova Jerabkova Kittlova Koprivova Kozena Krajickova Kulhankova
            Kvicalova Leharova Mejstrikova Navratilova Ptackova Sablikova Safarikova Stechova
            Strakova Tomickova Vrabcova Zverinova""",
        "German spelling of a Czech name": """
            Benesch Hayek Jedlitschka Jedlitzka Jellinek Jerzabek Koprziva Koprziwa Morawetz
            Morawitz Ptaczek Schimunek Stamitz Swarovski Wawra Wotruba Wrabetz Zawinul""",
        "not Czech: German, Polish, Russian, Bosnian": """
            Haugwitz Knirsch Kokoschka Storch Kubicki Zawadzki Drozdov Kapic""",
        "misspelt": "Jileck",
    },
    "Dutch": {
        "medieval given name, Latin form or dynasty": """
            Alpaidis Amalrada Arent Billung Blewanus Breugelensis Chrodtrud Everde Saxo
            Tillmanno Welf Winnrich""",
        "patronymic of one person (son or daughter of), not handed down": """
            Adriaensdr Aertsz Claesdr Cornelisz Jansdr Segerszoen Slaetsdochter Stoffelsz
            Wolfsdr Woutersz De_Jode_Vastraedsd""",
        "byname of a ruler": "De_Kale De_Grote De_Vrome",
        "title of a medieval noble: a county, duchy or kingdom": """
            Van_Allemanie Van_Arnsberg Van_Beaumont Van_Beieren Van_Bentheim Van_Bernicia
            Van_Boulogne Van_Brunswijk Van_Dagsburg Van_de_Darnau Van_de_Elzas
            Van_de_Noordmark Van_Drenthe Van_Egisheim Van_Este Van_Evelingen
            Van_Formbach Van_Hamaland Van_Haspengouw Van_Henegouwen Van_Herstal Van_Holland
            Van_Hostaden Van_Jumiege Van_Kuijc Van_Kuijc_van_Malsen Van_Landen Van_Laon
            Van_Luxemburg Van_Maasgouw Van_Metz Van_Nederlotharingen Van_Northeim Van_Orleans
            Van_Rheineck Van_Saksen Van_Salm Van_Salmen Van_Schweinfurt Van_Suinvorde Van_Susa
            Van_Tours Van_Verdun Van_Vermandois Van_Vlaanderen Van_Waas Van_Wessex
            Van_Westfalen Van_Wickerode Van_Zwaben Van_Engeland""",
        "misspelt, cut off, archaic or two names run together": """
            D'_Heripon Beourgeois Boetet Coret-Coredo Dachgelder Dachgeldt Dachgelt Den_Haag
            Der_Kijnder Ghoerle Jaceps Jdotte Jorrisen Mercks Oemencs Oennen Scuylenborchs
            Steinmeiern Van_Beeck_Beeckmans Van_der_Spaendonc Van_Duvenvoirde Van_Ghoerle
            Van_den_Nuwenhijsen Weylant Werdes Recers Nihoe Totwiller""",
        "French or Breton": """
            Belpere Bertho Bresse Briere Cadefau Carlier Carnotte Charon Chevresson Courtier
            De_Gratie De_la_Fleche De_Marduras De_Plantard De_Gruson Dubois Dupont Fiere
            Francois Francoise Gervais Jacquot Lafleur Laffray Lambert Lamore Lamotte Latier
            Le_Briel Le_Floch Le_Gallen Le_Grand Le_Guellec Le_Gulcher Le_Luc Le_Marec
            Le_Matelot Leroy Levesque Loreal Marceron Marchal Marchand Martel Mathieu Mathurin
            Nollee Paillet Parmentier Peronne Perrono Poncelet Rousselet Texier Van_de_Coterlet
            Vial Vignon""",
        "English": """
            Boddaugh Brandon Doyle Drysdale Ellis Estey Freshour Garret Glasses Horrocks Jones
            Lathrope Matthews Miner Mosley Perkins Pratt Rackham Rippey Shupe Smith Spiker
            Stamrood Terry Thatcher Wilmont Wilson Wright""",
        "other languages": """
            Ahmed Ali Chotzen Diallo Ferran Jerusalem Kaur Kaya Massa Oda Ponci Puig Sam
            Scardino Serra Singh Vi Verda Yildirim Yilmaz""",
        "German": "Friehus Schwartsbach Wendt Westermann Wutke",
    },
    "English": {
        "Irish, written without the apostrophe or anglicised": """
            Obrien Oconnell Oconnor Odonnell Oneal Oneill Broughan Callahan Daugherty Reardon""",
        "Scottish or double-barrelled": "Macdonald Clunies-Ross Landon-Lane",
        "French": """
            Bary Blanchard Boyer Cote Hebert Jacques Landry Leblanc Morin Perrin Robert""",
        "German": """
            Aberhart Berkahn Friedman Kaufman Krueger Moyer Mueller Schaefer Schroeder Schultz
            Schwartz Schwass Yoder""",
        "Scandinavian": """
            Alve Andersen Christensen Christiansen Hansen Jensen Johansen Larsen Nielsen Olsen
            Pedersen Petersen Rasmussen Simonsen""",
        "Jewish, Italian, Spanish, Chinese, Hmong": """
            Cohen Levine Levy Perano Russo Dejesus Rodriquez Wong Vang""",
        "a Latin given name": "Sixtus",
    },
    "French": {
        "German, mostly of Alsace": """
            Becker Fischer Kieffer Klein Meyer Muller Schaeffer Schmitt Schneider Schwartz Wagner
            Weber Weiss""",
        "English": "Diamond Harrisson McDuff Smith",
        "other languages": """
            Awashish Ben Chen Cohen Da_Costa Da_Silva Dasilva De_Oliveira De_Sousa Devos Diallo
            Dos_Santos Nguyen Patel Rossi Traore""",
        "a word or a given name": "Bob Bon Moi",
    },
    "German": {
        "Slavic or Hungarian, written as in that language": """
            Dobes Farkas Hasek Horak Jovanovic Kiss Kolar Kral Kucera Mielcarek Nemeth Nowak
            Oestrovsky Pokorny Simic Tlustek Toth Varga""",
        "Turkish or Dutch": "Yilmaz Van_der_Dussen",
        "American spelling": """
            Bumgarner Brinkerhoff Carver Derrick Dunkle Everhart Garver Gorman Harman Hoover
            Houk Huff Huffman Buckholtz""",
        "feminine form": "Ditschlerin",
        "misspelt or not to be found elsewhere": "Gunpf Hethur Mochlichen",
    },
    "Greek": {
        "feminine form": "Voulgari",
        "misspelt": "Elytheriadis Zerrvos",
    },
    "Italian": {
        "a word of the page the list was taken from": "Pagination",
        "a common word or given name of another language": """
            Ale Ben Cafe China Cinco Circo Tango Vars""",
        "a given name only": """
            Alberta Alma Andrea Augusta Barbara Beatrice Bruna Caterina Chiara Cornelia Davide
            Emilio Emma Enrico Fabio Laura Lena Loretta Marcia Martina Nicola Paola Rebecca
            Rosetta Virginia""",
        "Spanish or Portuguese": """
            Blanco Carpio Colina Corella Cosio Daza De_Francisco De_Mello De_Paula Mancera
            Patino Pavon Rondon Subia Trillo Zambrano Barretto""",
        "French or English": "Carriere Lefave Mason Morin Perron Rosson",
        "Maltese": "Abela Azzopardi Caruana Falzon Farrugia Gauci Mamo Zammit",
        "American spelling": "Columbo Foto Richardi Bambino",
    },
    "Japanese": {
        "Chinese or Korean surname in Japanese reading": "Ko Ri",
        "reading not used as a surname": "Mi Shiromizu Shinke",
    },
    "Korean": {
        "spelling hardly in use, made by analogy with another": """
            Bock Chah Dock Hoong Inn Jahng Kahm Moo Ohh Ohk Ohn Pahng Pee Poe Sar Shahng Soung
            Tack Tahng Than Van""",
        "Chinese spelling of the surname": "Bai Meng Peng Soong Tai Tan Wu",
    },
    "Polish": {
        "feminine or plural form": """
            Ciepla Gladka Gumienna Kaczorowska Lesna Narozna Pasieczna Piaseczna
            Plaskowscy Podgorna Podlesna Podsiadla Posluszna Potoczna Przewozna Siwa Skoneczna
            Slaba Strojna Szara Szumna Wazna Wesola Wiszowata Zarzeczna Zastawny""",
        "two surnames of one person": """
            Dolega-Zakrzewski Korwin-Szymanowski Wolk-Lewanowicz""",
        "German spelling, beside the names that stand in the German list": """
            Behrendt Berendt Block Buchholz Burchardt Burchard Eckert Elsner Erdmann Gebauer
            Groth Grund Hallmann Handke Hennig Hirsch Kleinschmidt Kohnke Lademann Lemke
            Liedtke Linke Lorens Meissner Mielke Mueller Nehring Neugebauer Nickel Preuss
            Reimann Rohde Schwarz Sommerfeld Steinke Stiller Stoltmann Wenzel Wiese Ziemann
            Wendt Westfal Baumgart Freitag""",
        "English or Chinese": "Gill Han John Martin",
    },
    "Portuguese": {
        "misspelt or not to be found elsewhere": """
            Andreao Andriao Balanca Cergueira Costela De_Azebedo Facundes Frais Lourencao
            Maranguanhe Panhoca Peira Renao Teganhe De_Olivenca Sansao Bonicenha Campores Cardosa
            Coelha De_Sao_Thome Goncalvez Gonzalves Juvanhol Lorencao Lourenca Oinhos Onhas
            Perreira Rodriques Sancao""",
        "Italian, French, German": "Cogo Fazolo Burgues Bonilha Lorencon Romanholi Schulthais",
        "a given name only": "Antonio Aparecida Dolores Guilherme Joao",
    },
    "Russian": {
        "misspelt": """
            Galktionov Garasimov Geogievsky Loshkomoev Niktitin Solzhenitsin""",
        "a person of fiction or a placeholder": """
            Karenin Khlestakov Prutkov Pupkin Stavrogin Zatvornik Zhivago""",
        "a pen name or byname": """
            Drakokhurst Fray Gorky Grin Grozny Kharms Ketro Krugosvetov Sid Tarn Yuppi Zorich""",
        "a patronymic, a given name or a plural form": """
            Avvakum Daniel Nikolaevich Savvovich Strugatskie Tikhon Vaynery""",
        "a row of names made from one given name, hardly borne": """
            Murman Murmanchuk Murmanenko Murmanets Murmanin Murmanov Murmanovsky Murmansky
            Murmantsev Murmanyuk""",
        "not Russian: German, Baltic, French, English": """
            Aven Benigsen Bianki Born Brass Dikson Eysmont Fraermann Gammer Garros Gay Gertsen
            Knabengof Kokh Laydon Livri Vikkers Vilmont Zondberg""",
        "not Russian: Georgian, Korean, Central Asian, Spanish and others": """
            Aflatuni Arro Bochorishvili Bolmat Bormor Galego Gogua Iskander Kim Kovaldzhi Luppol
            Robski Sevela""",
        "Jewish names of German form": """
            Arbitman Ayzman Brushteyn Guberman Levitas Lunts Mirer Peppershteyn Pevzner
            Pozamantir Vayman Vaysbekker Zonis""",
    },
    "Spanish": {
        "a person of fiction or a placeholder": "Gollum Name",
        "a row of foreign names, given names and inventions in the source": """
            Huixtlacatl Kamal Kamat Kanaria Kanea Kanimal Kano Kanzaki Kaplan Kara Karam Karan
            Karem Karen Khalid Kindelan Koenig Krasnova Kuzmina Kyra Xacon Xana Xenia Xiana Yago
            Yami""",
        "misspelt": """
            Adadia Dominquez Garica Hernadez Hernandes Hervia Jiminez Rodrigez Rodriquez""",
    },
}

# Chinese characters that pypinyin does not read as the surname is read.
CHINESE_READINGS = {
    "单": "Shan", "解": "Xie", "仇": "Qiu", "查": "Zha", "曾": "Zeng", "区": "Ou", "盖": "Ge",
    "任": "Ren", "朴": "Piao", "乐": "Yue", "翟": "Zhai", "尉迟": "Yuchi", "万俟": "Moqi",
    "覃": "Qin", "缪": "Miao", "宓": "Mi", "秘": "Bi", "员": "Yun", "郇": "Xun", "隗": "Wei",
    "召": "Shao", "洗": "Xian", "冼": "Xian", "折": "She", "晟": "Cheng", "幺": "Yao",
    "令狐": "Linghu", "长孙": "Zhangsun", "澹台": "Tantai", "单于": "Chanyu", "尉": "Wei",
    "那": "Na", "能": "Nai", "都": "Du", "黑": "He", "祭": "Zhai", "繁": "Po", "车": "Che",
    "車": "Che", "吕": "Lu", "呂": "Lu",
}  # fmt: skip

# Japanese names whose reading in the source is not (or hardly) the one of the surname.
JAPANESE_READINGS = {
    "一色": "Isshiki", "一戸": "Ichinohe", "二瓶": "Nihei", "三瓶": "Sanpei", "三角": "Misumi",
    "上地": "Uechi", "下地": "Shimoji", "今津": "Imazu", "仙波": "Senba", "伴": "Ban",
    "八幡": "Yahata", "内海": "Utsumi", "原野": "Harano", "古本": "Furumoto", "向後": "Kogo",
    "向山": "Mukoyama", "四方": "Shikata", "土方": "Hijikata", "大河内": "Okochi",
    "大賀": "Oga", "宗像": "Munakata", "寺門": "Terakado", "小栗": "Oguri", "小黒": "Oguro",
    "山上": "Yamagami", "山地": "Yamaji", "川越": "Kawagoe", "広岡": "Hirooka",
    "角谷": "Kakutani", "道下": "Michishita", "脇坂": "Wakisaka", "荒": "Ara",
    "諸岡": "Morooka", "豊岡": "Toyooka", "錦織": "Nishikori", "越川": "Koshikawa",
    "深山": "Miyama", "新居": "Arai", "新山": "Niiyama", "新田": "Nitta", "末吉": "Sueyoshi",
    "木幡": "Kohata", "横尾": "Yokoo", "横川": "Yokokawa", "水田": "Mizuta",
    "田尻": "Tajiri", "白鳥": "Shiratori", "舘": "Tachi", "蜂谷": "Hachiya",
    "金山": "Kanayama", "金野": "Konno", "具志堅": "Gushiken", "飯野": "Iino",
    "菅": "Kan", "井藤": "Ito", "田畑": "Tabata",
}  # fmt: skip

# Borne by people of South Asian or Arabic, Pacific and East Asian family in the British and
# overseas lists that the English class is taken from.
NOT_ENGLISH = """
    Abdi Ahmad Ahmed Akhtar Ali Ansari Aziz Begum Bhatti Bibi Butt Chan Chand Chaudhry Chowdhury
    Dar Dass Desai Farooq Gill Goundar Gupta Haque Hassan Hussain Hussein Iqbal Islam Joshi Kapoor
    Kaur Khan Krishna Kumar Lal Li Mahmood Malik Mani Mann Mehta Miah Mirza Mistry Modi Mohamed
    Mohammed Naicker Naidu Nand Ngata Nguyen Osman Parmar Patel Prasad Rahman Rai Raj Ram Rana
    Rao Rashid Reddy Saini Saleem Sandhu Sethi Shah Sharma Sheikh Sidhu Singh Sodhi Tamati Thakur
    Uddin Verma Yusuf
""".split()

# Arabic names that also stand in the European lists by which Western names are filtered out of
# the Arabic list.
ARABIC_IN_EUROPE = """
    Abdi Ahmad Ahmed Akhtar Ali Aziz Begum Farooq Hassan Hussain Hussein Islam Khan Mahmood Malik
    Mohamed Mohammed Osman Rahman Rashid Said Salah Saleem Shah Sheikh Yusuf
""".split()

# Irish names that are as much English ones; they may stand in both lists.
IRISH_AND_ENGLISH = """
    Cannon Canning Clifford Coleman Collins Courtney Curran Dalton Desmond Diamond Drew Early
    Ennis Fox Gibbons Gill Golden Gough Grace Greene Grimes Hackett Harrington Heron Holland
    Hughes Jennings Jordan Joy Judge Kirby Lawless Lee Leonard Lucey Mahon Martyn Masterson Meade
    Mellon Mitchel Monks Moore Murray Pierce Prior Purcell Reynolds Rice Ring Roe Rowley Rush
    Sexton Shannon Shields Sloan Spellman Stanton Thornton Travers Troy Wall Ward Waters Wynne
""".split()

# In the German list and yet at home in the Polish one.
POLISH_AND_GERMAN = ["Urban"]

# Words at the start of a surname of several words.  Other names of several words are two
# surnames, or a first name and a surname, and are left out.
PARTICLES = """
    van von de del della dell' di da do dos das du des d' la le lo li san st saint ter ten te op
    vander vande vanden den der zu auf o mac nic ni al el bin ben abu abou abd abdel abdul bou
    ait ould sidi nur haj hadj bel
""".split()
