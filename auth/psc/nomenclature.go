package psc

// Codes and labels of the Nomenclatures des Objets de Santé (NOS) that the
// Agence du Numérique en Santé publishes at https://mos.esante.gouv.fr/NOS. The
// labels are its own. A code that is not in a table has the label "".

// A Profession is a codeProfession (TRE_G15, TRE_R94, TRE_R95). People in
// training carry the code of the full profession: look at [Category] too.
type Profession string

// The professions that rules most often name; any other goes by its code.
const (
	Physician       Profession = "10"
	Pharmacist      Profession = "21"
	Dentist         Profession = "40"
	SocialWorker    Profession = "41"
	Midwife         Profession = "50"
	Nurse           Profession = "60"
	Physiotherapist Profession = "70"
	Podiatrist      Profession = "80"
	SpeechTherapist Profession = "91"
	Psychologist    Profession = "93"
)

// Label returns the French label, such as "Médecin".
func (p Profession) Label() string { return professions[string(p)] }

// A Specialty is a codeSavoirFaire. Beware: SM26 is general medicine, not
// cardiology (SM04), whatever some pages say.
type Specialty string

// Label returns the French label, such as "Médecine générale".
func (s Specialty) Label() string { return specialties[string(s)] }

// A Sector is a codeSecteurDactivite (TRE_R02).
type Sector string

// Label returns the French label, such as "Cabinet de groupe".
func (s Sector) Label() string { return sectors[string(s)] }

// A Mode is a codeModeExercice (TRE_R23): how a profession is practised.
type Mode string

// Label returns the French label, such as "Libéral".
func (m Mode) Label() string {
	switch m {
	case "L":
		return "Libéral, indépendant, artisan, commerçant"
	case "S":
		return "Salarié"
	case "B":
		return "Bénévole"
	case "I":
		return "Indirect"
	}
	return ""
}

// A Category is a codeCategorieProfessionnelle (TRE_R09): C civil, E student,
// F civil servant, M military.
type Category string

// Student is the category of people in training, who carry the profession's
// code without being members of it.
const Student Category = "E"

// Label returns the French label, such as "Civil".
func (c Category) Label() string {
	switch c {
	case "C":
		return "Civil"
	case Student:
		return "Étudiant"
	case "F":
		return "Fonctionnaire d'État ou de collectivité locale"
	case "M":
		return "Militaire"
	}
	return ""
}

var professions = map[string]string{
	"10": "Médecin",
	"21": "Pharmacien",
	"26": "Audioprothésiste",
	"28": "Opticien-Lunetier",
	"31": "Assistant dentaire",
	"32": "Physicien médical",
	"35": "Aide-soignant",
	"36": "Ambulancier",
	"37": "Auxiliaire de puériculture",
	"38": "Préparateur en pharmacie hospitalière",
	"39": "Préparateur en pharmacie (officine)",
	"40": "Chirurgien-Dentiste",
	"41": "Assistant de service social",
	"42": "Auxiliaire de vie sociale",
	"43": "Technicien de l'intervention sociale et familiale",
	"44": "Conseiller en économie sociale et familiale",
	"45": "Médiateur familial",
	"46": "Assistant familial",
	"47": "Aide médico-psychologique",
	"48": "Moniteur éducateur",
	"49": "Educateur de jeunes enfants",
	"50": "Sage-Femme",
	"51": "Educateur spécialisé",
	"52": "Educateur technique spécialisé",
	"53": "Accompagnant éducatif et social",
	"60": "Infirmier",
	"69": "Infirmier psychiatrique",
	"70": "Masseur-Kinésithérapeute",
	"71": "Ostéopathe",
	"72": "Psychothérapeute",
	"73": "Chiropracteur",
	"80": "Pédicure-Podologue",
	"81": "Orthoprothésiste",
	"82": "Podo-Orthésiste",
	"83": "Orthopédiste-Orthésiste",
	"84": "Oculariste",
	"85": "Epithésiste",
	"86": "Technicien de laboratoire médical",
	"91": "Orthophoniste",
	"92": "Orthoptiste",
	"93": "Psychologue",
	"94": "Ergothérapeute",
	"95": "Diététicien",
	"96": "Psychomotricien",
	"97": "Conseiller en génétique",
	"98": "Manipulateur ERM",
}

var specialties = map[string]string{
	"CAPA01": "Addictologie clinique",
	"CAPA02": "Aide médicale urgente",
	"CAPA03": "Allergologie",
	"CAPA04": "Angéiologie",
	"CAPA05": "Evaluation et traitement de la douleur",
	"CAPA06": "Gérontologie",
	"CAPA07": "Hydrologie et climatologie médicales",
	"CAPA08": "Médecine aérospatiale",
	"CAPA09": "Médecine de catastrophe",
	"CAPA10": "Médecine et biologie du sport",
	"CAPA11": "Médecine de santé au travail",
	"CAPA12": "Médecine pénitentiaire",
	"CAPA13": "Médecine tropicale",
	"CAPA14": "Pratiques médico-judiciaires",
	"CAPA15": "Technologie transfusionnelle",
	"CAPA16": "Toxicomanies et alcoologies",
	"CEX22":  "Gynécologie médicale et obstétrique",
	"CEX24":  "Gynécologie médicale",
	"CEX26":  "Obstétrique",
	"CEX64":  "Urologie",
	"PAC00":  "Qualifié praticien adjoint contractuel",
	"SCD01":  "Orthopédie dento-faciale",
	"SCD02":  "Chirurgie orale",
	"SCD03":  "Médecine bucco-dentaire",
	"SI01":   "Pathologies chroniques stabilisées (pratique avancée)",
	"SI02":   "Oncologie et hémato-oncologie (pratique avancée)",
	"SI03":   "Maladie rénale chronique, dialyse et transplantation rénale (pratique avancée)",
	"SI04":   "Santé mentale (pratique avancée)",
	"SM01":   "Anatomie et cytologie pathologiques",
	"SM02":   "Anesthésie-réanimation",
	"SM03":   "Biologie médicale",
	"SM04":   "Cardiologie et maladies vasculaires",
	"SM05":   "Chirurgie générale",
	"SM06":   "Chirurgie maxillo-faciale",
	"SM07":   "Chirurgie maxillo-faciale et stomatologie",
	"SM08":   "Chirurgie orthopédique et traumatologie",
	"SM09":   "Chirurgie infantile",
	"SM10":   "Chirurgie plastique reconstructrice et esthétique",
	"SM11":   "Chirurgie thoracique et cardio-vasculaire",
	"SM12":   "Chirurgie urologique",
	"SM13":   "Chirurgie vasculaire",
	"SM14":   "Chirurgie viscérale et digestive",
	"SM15":   "Dermatologie et vénéréologie",
	"SM16":   "Endocrinologie et métabolisme",
	"SM17":   "Génétique médicale",
	"SM18":   "Gériatrie",
	"SM19":   "Gynécologie médicale",
	"SM20":   "Gynécologie-obstétrique",
	"SM21":   "Hématologie",
	"SM22":   "Hématologie option maladie du sang",
	"SM23":   "Hématologie option onco-hématologie",
	"SM24":   "Gastro-entérologie et hépatologie",
	"SM25":   "Médecine du travail",
	"SM26":   "Qualifié en médecine générale",
	"SM27":   "Médecine interne",
	"SM28":   "Médecine nucléaire",
	"SM29":   "Médecine physique et réadaptation",
	"SM30":   "Néphrologie",
	"SM31":   "Neuro-chirurgie",
	"SM32":   "Neurologie",
	"SM33":   "Neuro-psychiatrie",
	"SM34":   "ORL et chirurgie cervico-faciale",
	"SM35":   "Oncologie option onco-hématologie",
	"SM36":   "Oncologie option médicale",
	"SM37":   "Oncologie option radiothérapie",
	"SM38":   "Ophtalmologie",
	"SM39":   "Oto-rhino-laryngologie",
	"SM40":   "Pédiatrie",
	"SM41":   "Pneumologie",
	"SM42":   "Psychiatrie",
	"SM43":   "Psychiatrie option enfant et adolescent",
	"SM44":   "Radiodiagnostic",
	"SM45":   "Radiothérapie",
	"SM46":   "Médecine intensive-réanimation",
	"SM47":   "Recherche médicale",
	"SM48":   "Rhumatologie",
	"SM49":   "Santé publique et médecine sociale",
	"SM50":   "Stomatologie",
	"SM51":   "Gynéco-obstétrique et gynéco médicale option gynéco-obst.",
	"SM52":   "Gynéco-obstétrique et gynéco médicale option gynéco médicale",
	"SM53":   "Spécialiste en médecine générale",
	"SM54":   "Médecine générale",
	"SM55":   "Radiodiagnostic et radiothérapie",
	"SM56":   "Chirurgie orale",
	"SM57":   "Allergologie",
	"SM58":   "Maladies infectieuses et tropicales",
	"SM59":   "Médecine d'urgence",
	"SM60":   "Médecine légale et expertises médicales",
	"SM61":   "Médecine vasculaire",
	"SM62":   "Endocrinologie, diabétologie, nutrition",
	"SM63":   "Biologie médicale option biologie générale",
	"SM64":   "Biologie médicale option médecine moléculaire, génétique et pharmacologie",
	"SM65":   "Biologie médicale option hématologie et immunologie",
	"SM66":   "Biologie médicale option agents infectieux",
	"SM67":   "Biologie médicale option biologie de la reproduction",
	"SM68":   "Chirurgie maxillo-faciale (réforme 2017)",
	"SM69":   "Chirurgie pédiatrique option viscérale",
	"SM70":   "Chirurgie pédiatrique option orthopédie",
	"SM71":   "Hématologie (réforme 2017)",
	"SM72":   "Médecine interne et immunologie clinique",
}

var sectors = map[string]string{
	"SA01": "Etablissement public de santé",
	"SA02": "Hôpital militaire du SSA",
	"SA03": "Etablissement privé PSPH",
	"SA04": "Etablissement privé non PSPH",
	"SA05": "Centre de santé",
	"SA06": "Autre structure du SSA",
	"SA07": "Cabinet individuel",
	"SA08": "Cabinet de groupe",
	"SA09": "Exercice en société",
	"SA10": "Transporteur sanitaire",
	"SA11": "Entreprise d'intérim",
	"SA12": "Etablissement de soins et prévention",
	"SA13": "Prévention et soins en entreprise",
	"SA14": "Etablissements scolaires, universitaires et de formation hors FINESS",
	"SA15": "PMI et planification familiale",
	"SA16": "Etablissement pour personnes handicapées",
	"SA17": "Etablissement pour personnes âgées",
	"SA18": "Etablissement aide à la famille",
	"SA19": "Etablissements FINESS de formation",
	"SA20": "Protection de l'enfance",
	"SA21": "Hébergement et réadaptation",
	"SA22": "Recherche",
	"SA23": "Assurance privée",
	"SA24": "Organisme de sécurité sociale",
	"SA25": "Laboratoire de biologie médicale",
	"SA26": "Ministère ou service déconcentré",
	"SA27": "Collectivité territoriale",
	"SA28": "Association ou organisme humanitaire",
	"SA29": "Laboratoire d'analyses et de biologie médicale",
	"SA30": "Autre établissement sanitaire",
	"SA31": "Répartition et distribution de médicaments",
	"SA32": "Fabrication, exploitation et importation de médicaments",
	"SA33": "Pharmacie d'officine",
	"SA34": "Centre de dialyse",
	"SA35": "Para-pharmacie",
	"SA36": "Centre anti-cancer",
	"SA37": "Centre de transfusion sanguine",
	"SA38": "Pharmacie minière",
	"SA39": "Pharmacie mutualiste",
	"SA40": "Secteur privé, praticien hospitalier temps plein",
	"SA41": "Autre établissement social ou médico-social",
	"SA42": "Appareillage médical",
	"SA43": "Secteur non défini",
	"SA44": "Recrutement ou gestion RH",
	"SA45": "Communication, marketing, consulting, média",
	"SA46": "Fabrication à distribution de médicaments et dispositifs",
	"SA47": "Incendie et secours",
	"SA48": "Entreprise hors pharmaceutique",
	"SA49": "Entité Outre-Mer",
	"SA50": "Permanence de soins ambulatoires hors cabinet",
	"SA51": "Structure de coopération avec autorisation de soins",
	"SA52": "Maison de santé ou pôle de santé",
	"SA53": "Siège administratif d'un établissement de santé",
	"SA54": "Centre de dépistage et de prévention",
	"SA55": "Laboratoire pharmaceutique d'allergènes",
	"SA56": "Propharmacie",
	"SA57": "Structure de coopération avec mission de coordination",
	"SA58": "Entreprise de taxis",
	"SA59": "Laboratoire hors catégorie standard",
	"SA60": "Centres médicaux SNCF",
	"SA61": "Dispensation d'oxygène à domicile",
	"SA62": "Ordre professionnel de santé",
	"SA63": "Communauté professionnelle territoriale de santé",
}
