"""The words around one-time codes in some seventy languages: data for `otp`, no logic.

How to read a list: `word` is the whole word, `stem*` its beginning, `*tail` its end (compounds such
as "Bestätigungscode"), `*part*` any piece of it. Case is ignored except where a word is written in
capitals only (`TAN` is a German code, "tan" a Spanish adverb). Words of four letters and more also
match without their accents. In scripts written without spaces (and in Korean, which glues its
endings on) each entry is searched inside the run of letters, the longest first.
"""

PLAIN = 0  #: means nothing here, but holds a word that would
KEY = 1 << 0  #: names a one-time code by itself
ACT = 1 << 1  #: what such a code is for (verify, log in...): evidence, but weaker
ANTI = 1 << 2  #: turns the code beside it into something else (promo code, postal code)
REF = 1 << 3  #: the number after it names a thing (order, invoice, ticket)
OWN = 1 << 4  #: the number after it names something of the reader's (account, card, phone)
CALL = 1 << 5  #: the number after it is to be called or written to
ENDING = 1 << 6  #: the number after it is the tail of a longer one
MONEY = 1 << 7  #: a currency, before or after its number
UNIT = 1 << 8  #: counted things: only after a number
IS = 1 << 9  #: "is", "equals": ties a number to what was named before
NUMBER = 1 << 10  #: "number", "no.": stands between a noun and its number
SECRET = (
    1 << 11
)  #: "do not share", "this": a code mentioned after it is a warning, not an announcement
OFFER = 1 << 12  #: advertising: discounts, gifts, prizes
NUMBERED = 1 << 13  #: after a number: "numbered", "ending": the number names a thing
TO = 1 << 15  #: a preposition between a noun or a verb and its number
LASTS = 1 << 17  #: "valid", "expires": a text with a time limit is less of a business letter
ROAD = 1 << 18  #: one word or two after a number, it makes that a house
DONE = (
    1 << 16
)  #: changed, blocked, expired: what is told of the code beside it is not the code itself
VIETNAMESE = 1 << 32  #: marks a text as Vietnamese without accents
MA = 1 << 33  #: "ma" is a code in Vietnamese without accents, and anything else in other languages
SUM = 1 << 14  #: balance, amount, price: the number after it is money without a currency

LEXICON: dict[int, str] = {
    PLAIN: """
        点击 點擊 点此 人工 人员 天猫 时间 일회용 분들 초대 episode episodes kodak expire expires confirmed registered approved
        activated authenticated authorised authorized confirmado confirmada confirmé confirmée confirmato confirmata
        verificado verificada verificato vérifié vérifiée registrado registrada activado activada ativado bestätigt
        подтверждена подтверждён подтвержден подтверждено
        зарегистрирован
    """,
    KEY: """
        code codes *code *codes otp otps totp hotp votp *otp pin pins passcode password passwords passwd pwd passkey passphrase
        TAN mTAN smsTAN *TAN token cvc2 3ds pincode vcode keycode accesscode sms-code código códigos codigo *codigo cod cód
        codi codis codul codului codice codici clave claves contraseña contrasenya senha senhas passe motdepasse clau
        palavra-passe kode koden kodene *kode *koden kodenavn kod kodu kodem kody kodzie *kod *kodu *kodem *kods *kodas *kodi
        kodo kodą kodai kodas kods kodam kodus kodunuz* *kodunuz* *kodunu *kodun *kodingiz* kodingiz* kodi kodini kodingizni
        kodni kodim kodom kodot kodea kodiċi kodja kód kódu kódom kódem kódy kódja kódját kódot kódod kódodat
        kódoddal *kód *kódu *kódja *kódot *kódod koda kodiniz* *kodiniz kóði kóðinn kóðann *kóði *kóðinn *koodi*
        koodh* koodu msimbo ikhodi khodi kinywila nenosiri kennwort *kennwort passwort *passwort zugangscode freischaltcode
        einmalkennwort wachtwoord *wachtwoord passord *passord lösenord *lösenord adgangskode *adgangskode salasana* *salasana*
        *tunnusluku* parool* hasło hasła hasłem *hasło heslo hesla heslom heslem jelsz* *jelszó* *jelszav* parol parola
        parolă parolei paroli parolingiz* parolinizi parolunuz* parolanız* paroluňyz şifre* *şifre* sifre* *sifre* lozink*
        zaporka zaporke geslo gesla slaptažod* fjalëkalim* fjalekalim* sandi kata-sandi katasandi katalaluan laluan kata_laluan
        TAC mã matkhau ototp mãotp код кода коду кодом коде коды кодов кодын кодыңыз*
        кодуңуз* кодынгыз* кодыг кодтой код-пароль *код *кода *кодом кодӣ
        рамз рамзи рамзҳои пароль пароля паролем пароли паролю *пароль
        парол парола паролата паролу паролін* паролем* құпиясөз* құпия
        сырсөз* кодът кодот лозинк* лозинка шифра шифру шифре пин пин-код
        пінкод пін пинкод одноразовы* аднаразов* одноразов* κωδικ* *κωδικ*
        συνθηματικ* կոդ* *կոդ* գաղտնաբառ* ծածկագիր* კოდ* *კოდ* პაროლ* רמז קוד קודך קודים סיסמה סיסמא סיסמת הסיסמה
        סיסמתך رمز رمزك رموز رمزکم كود كودك کود کۆد کۆدی کوډ كودكم کد کدتان گذرواژه رمزعبور کدفعالسازی کوڈ کوڈز پاسورڈ پاسوورڈ
        پن پین پسورد كلمه باسوورد شفرة الشفرة कोड ओटीपी पासवर्ड पिन सङ्केत সংকেত কোড কোডটি কোডঃ ওটিপি পাসওয়ার্ড পিন কোডের
        குறியீடு* கோட் கோடு கோட்* கடவுச்சொல்* ஓடிபி* ஒடிபி* ஓ.டி.பி கடவுக்குறியீடு* குறியீட்* பின் కోడ్* కోడు ఓటిపి ఓటీపీ ఓటిపీ
        పాస్‌వర్డ్* పాస్వర్డ్* పిన్ ಕೋಡ್* ಒಟಿಪಿ ಪಾಸ್ವರ್ಡ್* ಓಟಿಪಿ കോഡ്* ഒടിപി* ഒട്ടിപി* പാസ്‌വേഡ് പാസ്വേഡ് કોડ ઓટીપી પાસવર્ડ ਕੋਡ
        ਓਟੀਪੀ ਪਾਸਵਰਡ කේතය කේත* මුරපදය ኮድ ኮድዎ ኮዱ ኮድህ ኮድዎን የይለፍ የኮድ 验证码 校验码 验证代码 验证密码 动态码 动态密码 动态口令
        确认码 安全码 登录码 登陆码 激活码 注册码 认证码 识别码 随机码 授权码 短信码 提取码 代码 密码 口令 验证號碼 驗證碼
        驗證号 驗證號 驗證密碼 確認碼 認證碼 認證號碼 認證密碼 校驗碼 動態密碼 動態碼 安全碼 登入碼 啟用碼 啟動碼 代碼 密碼
        一次性密碼 授權碼 通行碼 簡訊碼 登錄碼 检验码 识别代码 驗證代碼 認証コード 認証番号 認証用コード 認証キー 確認コード
        確認番号 検証コード 検証番号 パスコード パスワード 暗証番号 ワンタイム コード 承認番号 ピンコード セキュリティ番号
        本人確認番号 認証ナンバー 認証pin 인증번호 인증코드 확인코드 확인번호 보안코드 승인번호 비밀번호 코드 패스워드 오티피
        본인확인번호 접속번호 로그인번호 รหัส โอทีพี พาสเวิร์ด โค้ด ລະຫັດ លេខកូដ លេខ\u200bកូដ កូដ លេខសម្ងាត់ ពាក្យសម្ងាត់ ကုဒ်
        ကုတ် ကုဒ စကားဝှက် လျှို့ဝှက်နံပါတ် key keys klíč klíče kľúč klucz klucza ключ ключа schlüssel *schlüssel
        chiave chave clé llave avain nyckel *nyckel sleutel anahtar kunci ٹی کلید مفتاح kood koode *kood koodi *koodi mdp
        交易码 交易碼 操作码 操作碼 支付码 sicherheitsnummer* prüfnummer* verifizierungsnummer* kontrollziffer* prüfziffer*
        verificatienummer* beveiligingsnummer* verifieringsnummer* säkerhetsnummer* bekreftelsesnummer* sikkerhetsnummer*
        sikkerhedsnummer* bekræftelsesnummer* sécuripass sécuricode NIP rvn
    """,
    ACT: """
        verif* *verif* confirm confirming authentic* authoris* authoriz* activat* login logon log-in signin sign-in signup
        signing register registering registration 2fa mfa two-factor one-time onetime identity enter use type input unlock
        access security temporary einmal* bestätig* *bestätigung* anmeld* *anmeldung* freischalt* aktivier* verifizier* zugang*
        registrier* identifi* autenti* autoriz* connexion connecter connectez inscription usage saisissez entrez sécurité
        vérif* ingresa ingrese introduce introduzca usa utiliza acceso iniciar seguridad registro inicia digite digita insira
        acesso entrar seguro segurança cadastro accesso accedi inserisci sicurezza registrazione verifikasi verifikac*
        verifiká* verifiering* verifiser* verifisering* verific* weryfik* logow* zaloguj potwierd* autoryz* rejestr* aktywac*
        wpisz potvrd* potvrz* ověř* overov* ověřov* prihl* přihl* prijav* potrdi* aktivac* aktivác* megerős* bejelent*
        hitelesít* azonosít* regisztr* ellenőrz* confirma* autentific* conectare înregistr* vahvist* kirjaut* tunnist*
        kertakäyttö* bekräft* inlogg* engångs* engangs* engang* bekreft* bekræft* innlogg* indlog* logga kinnitus* sisselog*
        ühekordn* apstiprin* pieteikš* patvirtin* prisijung* vienkartin* vienreiz* doğrula* dogrula* onay* giriş giris girişi
        tek kullanımlık teyit təsdiq* tesdiq* tasdiq* kirish bir martalik тасдиқ* тасдик* tassykl* đăng nhập dang
        nhap xác xac minh nhận nhan thực thuc kích hoạt masuk masukkan daftar log pengesahan otentik* konfirmasi aktivasi
        rahasia keamanan sekali patunay beripik* mag-log pag-verify kuingia hubinta подтвержд* подтверд*
        верифик* активац* активиру* авториз* регистр* вход входа вхід входу
        войти войдите увійти ввійти введите введіть введи аутентифик*
        автентиф* авторіз* підтвердж* підтверд* верифік* реєстр* пацвярдж*
        пацверд* ўваход уваходу увядзіце растау раста* тіркел* кіру енгізіңіз
        ырастоо ыраста* кирүү баталгаажуул* нэвтрэх потвърж* потвърд*
        вписван* потврд* пријав* најав* удостоверяван* двухфактор* разовый
        разовые разового аутэнтыф* επιβεβαίωσ* επαλήθευσ* σύνδεσ*
        ενεργοποίησ* ταυτοποίησ* ελέγχου հաստատ* մուտք* ակտիվ* დადასტურ* ვერიფიკ* შესვლ* ავტორიზ* אימות
        לאימות כניסה לכניסה התחברות להתחברות זיהוי הפעלה חד פעמי אישור לאישור التحقق تحقق للتحقق تأكيد التأكيد لتأكيد تفعيل
        التفعيل لتفعيل تسجيل الدخول المرور السر دخول توثيق المصادقة التوثيق تایید تأیید ورود فعالسازی فعال‌سازی فعال یکبار
        یکبارمصرف تصدیق تصدیقی لاگ لاگان توثیقی پویا सत्यापन सत्यापित लॉगिन लॉगइन पुष्टि प्रमाणीकरण प्रमाणिकरण यूज़ वेरिफिकेशन
        যাচাই যাচাইকরণ লগইন ভেরিফিকেশন নিশ্চিত প্রমাণীকরণ சரிபார்ப்பு* உள்நுழை* ధృవీకరణ లాగిన్ ధృవీకరించ* ಪರಿಶೀಲನೆ ಲಾಗಿನ್
        സ്ഥിരീകരണ* പരിശോധന* ચકાસણી પુષ્ટિ ਪੁਸ਼ਟੀ ማረጋገጫ መግቢያ የማረጋገጫ 验证 驗證 登录 登錄 登入 登陆 注册 註冊 认证 認證 激活 绑定
        綁定 確認 确认 認証 検証 ログイン 登録 本人確認 인증 로그인 본인확인 ยืนยัน เข้าสู่ระบบ ยืนยันตัวตน ຢືນຢັນ ເຂົ້າສູ່ລະບົບ
        ផ្ទៀងផ្ទាត់ បញ្ជាក់ ចូល အတည်ပြု ဝင်ရောက် gebruik gebruiken inloggen loggen aanmelden bevestig* verificatie* verwende*
        nutzen benutzen eingeben gib geben vul voer ange skriv indtast tast syötä käytä kirjoita använd brug bruk kasuta sisesta
        sisestage kasutage izmantojiet ievadiet ievadi naudokite įveskite kullan* girin girerek girin* daxil istifadə kiriting
        foydalaning ishlating użyj użyć użycie zadejte zadajte použijte použite použij unesite koristite vnesite uporabite
        vpišite vnesi внесете внесите искористете въведете използвайте
        используйте используй вводите ввода вкажіть використайте
        використовуйте внесіть пайдаланыңыз колдонуңуз киргизиңиз
        киритинг ашиглана оруулна χρησιμοποιήστε εισάγετε εισαγάγετε
        πληκτρολογήστε adja írja használja használd folosiți folositi folosește utilizați introduceți introdu
        tastați gunakan guna pakai ilagay gamitin gamit ingiza tumia weka أدخل ادخل استخدم استعمل وارد استفاده הזן הכנס הקלד
        השתמש दर्ज डालें उपयोग इस्तेमाल ব্যবহার লিখুন দিন পাসকোড உள்ளிடவும் பயன்படுத்தவும் నమోదు ఉపయోగించండి ನಮೂದಿಸಿ നൽകുക દાખલ
        ਦਰਜ dùng sử dụng tabbatar* siri ya-siri xaqiij* xaqiijin* መግባት ለመግባት ያስገቡ 使用 输入 輸入 入力 ご入力 입력 ใส่ กรอก ใช้
        ປ້ອນ ໃຊ້ បញ្ចូល ប្រើ ထည့် အသုံးပြု staðfest* innskráning* verifikasie* verifikim* konfirm* përdor* hyrje verifikatsiya
        identifikatsiya autentisk* autentik* autent* legitimat* одноразового қолданыңыз ხელმოწერ* ავტორიზაც*
        գործածեք մուտքագր* հաստատման пацьвердж* скористайтесь валидац* заверка заверк*
        ovjer* autorizac* autoryzacj* uwierzyt* autorizaci* přihlás* prihlás* prihlas* přihlašov* ověřen* einlog* einlogg*
        zweifaktor* legitimier* autorisation authentif* activer activation confirmer confirmez verificar verifica verifique
        validar valida valide validación validação confirme confirmar confirmación confirmação autenticação ativação ativar
        activar activación registrarse conferma confermare verificare *thibitish* *tasdiq* *onay* *beripik* sign complete
        completes finish finishing continue proceed validate escribe escriba teclea tecleea tape tapez schreibe schreib tippe
        tippen typ napisz napište napíšte scrie scrieți напишите наберите набери yazın yazin ketik
        ketikkan nhắn gõ seguir continuar continuer continuare fortfahren weiter doorgaan kontynuować kontynuuj pokračov*
        pokracov* folytat* продолжить продолжения продовжити devam fortsätt fortsätta fortsette
        fortsæt lanjutkan teruskan tiếp tục finalizar terminer completar completa completare compléter abschließen
        abschliessen voltooien afronden dokończyć dokonč* завершить завершения завершити tamamla*
        selesaikan hoàn tất 完成 続行 계속 완료하세요 ดำเนินการ jatka jätkata turpināt tęsti συνέχεια
        συνεχίσετε המשך للمتابعة متابعة إكمال ادامه जारी চালিয়ে recovery reset restore authorise authorize approve
        approval réinitialis* restablec* redefin* recuper* reimpost* zurücksetz* obnov* resetare resetuj* восстанов*
        відновл* сброс* sıfırla* αλλαγή changer cambiar trocar ändern смены зміни сменить
        confirmation confirmacion سري السري سرية السرية مؤقت المؤقت المؤقتة secret secreto secreta segreto segreta geheim*
        секретн* tajn* tajné gizli hemlig* hemmelig* μυστικ* sulit maxfiy махфий құпия купуя
        გასაიდუმლოებული סודי סודית राज गोपनीय গোপন digit factor faktor* фактор* провероч* перевірочн*
        контрольн* проверк* перевірк* freigabe* freigeben eintippen eintragen einzutippen mật bao shigar
        shigarwa sirrinka входите входить назовите назвіть pair pairing получения
        получение выдачи вручения отримання видачі odbioru odbiór odbierz výdej výdeje
        vyzdvihnutie retrait ritiro recogida retirada afhaal* abhol* pickup pick-up átvétel* ridicare nouto* afhent*
        upphämtning регистрация реєстрація registrace rejestracja anmeldung iscrizione inschrijving nutze
        nutz entering typing inputting submit submitting paste pasting prove proving confirms unlocks approves quote eingibst
        gebe benutze benutz eintippst einfügen ingresar ingresando introducir introduciendo usar usando utilice teclear
        escribir coloque coloca saisir saisissant taper utilisez utiliser utilise valider indiquez renseignez digitar digitando
        inserir utilize preencha inserire inserendo digitare usare utilizza utilizzare immetti invoeren typen använda knappa
        bruge bruke käyttää syöttää wpisać podaj podać wprowadź wprowadzić zadat zadej vložte opište erősítse erősítsd
        tastează unesi upišite upiši ukucajte въведи напишете унесите искористите ввести
        введя укажите указать продиктуйте вставьте наберіть
        выкарыстайце tuşlayın kiritish yozing енгізу теріңіз إدخال استخدام اكتب نمایید הזינו הקש הקלידו
        השתמשו אמת लिखें भरें প্রবেশ वापरा टाका प्रविष्ट प्रयोग हाल्नुहोस् உள்ளிடுக பயன்படுத்துங்கள் ఎంటర్ వాడండి ಬಳಸಿ
        ഉപയോഗിക്കുക વાપરો ઉપયોગ ਵਰਤੋ භාවිතා ඇතුළත් තහවුරු điền masukan taip ilagda andika shkruani vendosni შეიყვანეთ
        გამოიყენეთ ჩაწერეთ დაადასტურეთ օգտագործեք įvesti autorización autorização autorizzazione
    """,
    ANTI: """
        promo promos promo* promotional area zip postal postcode *postcode zipcode qr qrcode barcode bar-code tracking coupon*
        voucher* discount* referral refer invite swift bic iban ifsc sort country dress source error ussd gift rebate reward
        dial dialing dialling area-code status product item style color hs unlock-promo vat tax gutschein* *gutschein* rabatt*
        *rabatt* aktions* strich* postleit* vorwahl* réduction remise parrainage cadeau avantage descuento promocional*
        promoción cupón* amigo desconto cupom indicação sconto promozional* promozione buono amico kortingscode korting*
        actiecode rabat* rabatow* promocyj* pocztowy pocztowego kreskowy slevov* slevový zľavov* kedvezmény* kupon* kuponk*
        reducere promoțional* indirim* kampanya posta davet kodeks endirim chegirma diskon referensi pos potongan rujukan
        diskaun poskod khuyến khuyen giảm giam alennus* rabattkod kampanj* kampanje* atlaid* nuolaid* soodus* sleva popust*
        izvorni промо* промокод* скидоч* купон* почтовый страны города товара
        товар штрих* телефонный региона штрихкод* пригласительн*
        реферальн* знижк* поштов* жеңілдік купонын отстъпка пощенски
        попуст εκπτωτικ* έκπτωσ* προσφορ* ταχυδρομικ* προωθητικ* הנחה קופון מיקוד
        الخصم خصم ترويجي بريدي الترويجي البريدي تخفیف پستی قسيمة छूट प्रोमो कूपन কুপন প্রোমো ছাড় พื้นที่ ส่วนลด ไปรษณีย์
        โปรโมชั่น ຫຼຸດລາຄາ ផ្សព្វផ្សាយ လျှော့စျေး 优惠码 优惠券 折扣码 兑换码 邀请码 取件码 取货码 条形码 二维码 邮政编码 邮编
        区号 推荐码 提货码 优惠代码 取餐码 優惠碼 折扣碼 兌換碼 邀請碼 取件碼 郵遞區號 推薦碼 條碼 區號 優惠代碼 クーポンコード
        クーポン 割引コード 招待コード 郵便番号 プロモコード プロモーションコード 市外局番 バーコード QRコード 紹介コード
        쿠폰번호 할인코드 쿠폰코드 쿠폰 할인 우편번호 초대코드 추천코드 프로모션 지역번호 артикул товару
        товаров тауар тауардың країни міста поштовий поштового клієнта
        клиента агента агентский дилера продукта продукту produktu produkt* produit
        pays producto productos país pais ciudad cliente produto prodotto fiscale postale cap avviamento *artikel*
        artikelnummer produktcode länder* laender* ülke ürün urun mahsulot məhsul tovar tovaru zboží směrovací poštovní
        poštový poštanski postanski termék* irányító* produsului poștal produk barang wilayah negara bưu sản phẩm ưu đãi
        giới thiệu tuote* postinumer* postikood* vara* postnummer produktkod varukod landskod toote* preces produkto pašto pasta
        προϊόντος χώρας περιοχής المنتج الدولة المنطقة منتج کالا محصول شهر منطقه המוצר उत्पाद पिन-कोड পণ্য
        商品コード 商品番号 国番号 股票代码 产品代码 商品代码 机构代码 国家代码 產品代碼 股票代碼 상품코드 국가번호 제품코드
        รหัสสินค้า รหัสไปรษณีย์ รหัสประเทศ รหัสส่วนลด invitation invitación convite invito einladungs* zaproszeni* pozvánk*
        davetiye undangan jemputan affiliate partner referido indicado подразделения подразделение
        предложения отделения филиала branch department оффера barras barra barre kreskowego
        čiarový čárový vonalkód *bare barkod штрих-код purchase đơn vận трек track ошибки ошибка
        ошибке помилки помилка памылкі грешка грешката грешке grešk* greske błędu
        bledu chyby chybov* napake erreur errore eroare erorii erro gabimi hitilafu fehler* fout* felkod* fejl* feil* virhe*
        hibakód* veakood* kļūdas klaidos hata hatası xəta xato қате қатенің σφάλματος שגיאה خطأ الخطأ خطا خطای
        غلطی त्रुटि ত্রুটি பிழை* lỗi kesalahan galat ralat 错误代码 错误码 錯誤代碼 錯誤碼 故障码 故障碼 エラーコード エラー番号
        오류코드 에러코드 오류 에러 ข้อผิดพลาด מוצר שגיאת lojista conduct ethics bestellcode artikelcode kundencode model flight
        color colour hex airport airline morse модели модель рейса цвета modell* flug* farb* couleur
        modèle colore modello cor page pages seite seiten página pagina strona страница стр инн кпп бик огрн окпо оквэд едрпоу
        єдрпоу іпн мфо
    """,
    REF: """
        order orders order# ref refno reference tracking track invoice ticket tkt case booking reservation pnr transaction txn
        trans trxid trx txnid utr rrn parcel package shipment awb consignment request application appointment claim complaint
        docket incident bill receipt contract policy id ids userid uid imei serial flight bus train seat gate room apartment apt
        unit block house street building locker route version build queue token# model no-reply sku batch lot bestellung
        bestellnummer *bestellung* auftrag* rechnung* sendung* *sendung vorgang* ticketnummer kundennummer kundennr commande
        facture colis dossier billet réservation pedido factura guía guia envío reserva nota fiscal encomenda rastreio
        protocolo boleto fatura ordine fattura spedizione pacco prenotazione pratica bestelling factuur pakket zending
        zamówieni* zamowieni* faktur* przesyłk* przesylk* paczk* paczka objednávk* objednavk* zásilk* zásielk* balík balik
        rendelés* rendeles* számla* csomag* comanda comandă comenzi factură colet* tilaus* lasku* lähety* ordernr ordre
        ordrenummer beställning* faktura paket* tellimus* arve saadetis* pasūtījum* rēķin* sūtījum* užsakym* sąskait*
        siunt* sipariş* siparis* kargo* gönderi* fatura* talep başvuru sifariş* buyurtma* đơn don hàng vận pesanan resi invois
        tempahan bungkusan oda agizo заказ заказа заказу заказом заказе заявк*
        накладн* трек* посылк* отправлен* бронир* билет* договор* квитанц*
        чек чека счёт-фактур* обращени* рейс* тикет* операци* замовленн*
        посилк* рахунок-фактур* ттн квитк* заявц* поръчк* пратк* фактур*
        наруџбин* порачк* пошиљк* тапсырыс* буйрутма* захиалг* παραγγελί*
        αποστολή* αριθμό-δέμα δέμα* τιμολόγι* պատվեր* შეკვეთ* ზომა הזמנה הזמנתך משלוח חבילה חשבונית
        الطلب طلب طلبك طلبية شحنة الشحنة شحنتك فاتورة الفاتورة الحجز حجز تذكرة مرجع المرجع سفارش مرسوله فاکتور رهگیری پیگیری
        آرڈر ऑर्डर आर्डर संदर्भ बिल অর্ডার অর্ডারের ஆர்டர் ఆర్డర్ ትዕዛዝ 订单 订单号 运单 运单号 快递 单号 流水号 编号 工单 航班
        订单编号 參考編號 訂單 訂單編號 訂單號碼 單號 編號 包裹 注文 注文番号 ご注文番号 追跡番号 お問い合わせ番号 予約番号
        受付番号 会員番号 お客様番号 伝票番号 整理番号 주문번호 주문 송장번호 운송장번호 운송장 예약번호 접수번호 고객번호
        คำสั่งซื้อ หมายเลขพัสดุ พัสดุ ออเดอร์ อ้างอิง ລາຍການສັ່ງຊື້ ការបញ្ជាទិញ អីវ៉ាន់ အော်ဒါ confirmation confirmación
        confirmação conferma confirmacion потребител клиента клиентский абонента
        абонентский лицевой abonent* abone müşteri musteri pelanggan cliente client klienta klient*
        zákaznick* ügyfél* zákazník* asiakas* kund* registration-no enrollment application-id zgłoszeni* zgloszeni* spraw*
        ügyszám* ügy dossiernummer zaaknummer zaak aktenzeichen vorgangsnummer caso expediente folio chamado reclamo
        reclamación trámite solicitud solicitação pratica-numero дело запрос запроса talebiniz şikayet
        auftragsnummer rezervac* rezerwac* rezervēj* foglalás* varaus* bokning* booking* buchung* réservation* jegy jegyszám
        bilet* vstupenk* hồ sơ vé tiket pengaduan permohonan 申請編號 申请编号 受理编号 案件 预约 預約 予約 접수 예약 การจอง
        ကြိုတင် درخواست مورد بلیط رزرو user username utente usuario usuário utilisateur benutzer* gebruiker*
        пользовател* користувач* kullanıcı istifadəçi foydalanuvchi użytkownik* uživatel* používateľ*
        felhasználó* utilizator* ärende* sag sagsnummer sak saksnummer asia tapaus pengguna 用户 用戶 ユーザー 사용자 ผู้ใช้
        المستخدم کاربر *nummer *nummern *numero *nummeret замов* narudžb* narudzb* porudžbin* naročil* narocil*
        нарачк* pošiljk* posiljk* пошиљ* order-id талон очеред* kolej* quittung* beleg* reçu recibo
        ricevuta paragon* račun* рачун* hóa risiti membership member socio adhérent matrícula matricula tessera
        mitglied* членск* 회원번호 회원 会员号 会员 會員編號 會員 section chapter article paragraph clause pakke pakken verse verses
        alert road sample patient juror statement customer employee student lane line linie linje ligne linha линия
        линии lesson course kurs cours curso corso desk document documento plate volume kiosk release zählerstand
        registration inscription registro cadastro регистрация реєстрація registrace rejestracja anmeldung
        iscrizione inschrijving candidate flat hall sector door doors lecture floor level platform booth aisle shelf office
        suite ward raum saal fach halle etage gleis zimmer büro salle étage bureau quai porte chambre casier sala piso oficina
        puerta andén habitación aula quarto stanza ufficio binario кабинет кабінет офис офіс этаж
        подъезд зал комната сектор платформа pokój peron piętro oda kamer zaal perron ruang
        phòng phong ห้อง غرفة اتاق कमरा
        autorización autorização autorizzazione
    """,
    OWN: """
        phone telephone tel fax mobile telefon* téléphone tél teléfono telefone telefono telefonszám telefonu tlf zəng
        telepon telp telefon piga телефон* телефону τηλέφωνο τηλ טלפון هاتف تلفن फ़ोन फोन ফোন 电话 電話
        お電話 전화 ဖုန်း account acct a/c acc accountno card cards konto kontonummer karte kartennummer compte carte cuenta
        tarjeta conta cartão cartao carta rekening kaart konta karta karty karcie účet účtu kartu bankszámla* kártya*
        kártyá* cont contul cardul tili kortti* kort kortet konto* sąskaitos kortelė* kartes hesap hesabınız* hesabı kart
        kartınız* kartiniz* hesab* kartı karti hisob* karta* tài taikhoan khoản thẻ akaun kad счет счета счёт
        счёта счету карта карты карте карту картой рахунок рахунку
        картка картки картку сметка сметката картата рачун рачуна шот
        карточка* λογαριασμ* κάρτα* κάρτας քարտ* հաշիվ* ბარათ* ანგარიშ* חשבון חשבונך כרטיס حساب الحساب
        حسابك بطاقة البطاقة بطاقتك کارت حسابتان کارڈ اکاؤنٹ खाता खाते कार्ड অ্যাকাউন্ট কার্ড கணக்கு* అకౌంట్ బ్యాంకు 账户 账号
        帐号 帐户 卡号 储蓄卡 信用卡 银行卡 手机号 帳戶 帳號 卡號 口座 カード 口座番号 電話番号 계좌 계좌번호 카드 카드번호
        휴대폰번호 전화번호 บัญชี บัตร ບັນຊີ គណនី အကောင့် kadi
        rek norek
    """,
    CALL: """
        call calls calling hotline helpline whatsapp-us dial ring contact text txt reply send sent stop toll-free tollfree
        support-line customercare helpdesk shortcode ivr anrufen rufen rufnummer appelez appeler contactez llama llame llamar
        llámanos marque envía envia ligue ligar contato chiama chiamare bel bellen zadzwoń zadzwon infolinia zavolejte
        volejte volajte hívja hívj sunați sunati apelați soita puhelin ringa ringe opkald zvaniet skambinkite helista ara
        arayın arayin arayınız arayiniz zeng qo'ng'iroq qongiroq gọi goi lh liên hệ hubungi panggil hub tumawag tawagan
        позвоните звоните тел звонок зателефонуйте телефонуйте дзвоніть
        обадете обадите тэл звяжыцеся қоңырау позовите јавете καλέστε զանգ*
        հեռ დარეკეთ ტელ טל התקשרו חייגו להתקשר اتصل الاتصال تماس پیامک کال कॉल সংযোগ কল அழைக்க కాల్ 致电 拨打 咨询 客服 热线
        电联 致電 撥打 專線 연락처 문의 고객센터 โทร ໂທ ទូរស័ព្ទ support soporte suporte assistenza bilgi destek پشتیبانی
        podpora pomoc підтримка поддержка supporto service ext extension доб добавочный 详询 请询
        垂询 诚询 详情请 洽詢 詳洽 report reporting fraud scam betrug fraude denuncias denuncie denuncia fragen rückfragen
        sending
        shikayat शिकायत complaints lapor laporkan isumbong sumbong ihbar жалобы скарги 举报 投诉 檢舉 投訴
        emergencias emergências emergency emergencies
    """,
    ENDING: """
        ending ends endet endend endende terminada termina terminado terminados finissant terminant finale termin* final finales
        last4 xx xxx xxxx xxxxx kończąc* koncząc* końcówce konc* končící končiace végződő végű terminat ending-in
        päättyvä slutar sluter som-slutar eindigend eindigt biten sonu berakhir berakhiran akhiran đuôi duoi kết-thúc
        оканчива* заканчива* закінчу* завършва* завршава* λήγει λήγουσα
        المنتهية المنتهي تنتهي ينتهي ينتهى ختم המסתיים המסתיימת समाप्त 尾号 末四位 后四位 後四碼 末四碼 末4碼 末尾 下4桁 下四桁
        끝자리 뒷자리 ลงท้าย ท้าย
    """,
    MONEY: """
        GEL TRY tl lev leva aed dhs usd eur gbp rub rur uah byn kzt uzs inr idr php thb vnd vnđ myr sgd hkd cny rmb krw jpy brl
        mxn ars clp cop pln czk huf ron bgn rsd sek nok dkk chf aud cad nzd zar ngn kes ugx tzs etb egp sar qar kwd bhd omr ils
        irr pkr bdt lkr npr mmk khr lak amd azn kgs tjs mnt usdt btc eth rs rp rm ksh tsh ush birr jd dollar dollars euro euros
        pound pounds rupee rupees peso pesos reais kr kronor kroner forint ft lei zł zl zloty złotych lira lirası manat so'm
        som soum sum đồng dong đ rupiah ringgit baht kip shilling* shilingi naira cedi won yen yuan dinar* руб рубл* р
        копеек коп грн гривень гривен* тенге теңге тг сум сом сомонӣ сомони
        манат лв лева лв. дин төгрөг евро долл* $ доллар* ευρώ δραχμ* դրամ ლარი לי שקל
        שקלים ש״ח شقح ريال درهم دينار جنيه ليرة دولار دينارا ريالا تومان ریال روپے روپئے रुपये रुपए रु টাকা டாலர் ரூபாய் రూపాయలు
        ರೂ ብር 元 人民币 块钱 圓 円 원 บาท ກີບ រៀល ကျပ်
    """,
    SUM: """
        balance amount total sum price cost fee limit credit debit debited credited payment paid due emi bal avl avbl available
        spent salary saldo betrag summe preis gesamt solde montant prix importe monto precio valor preço importo prezzo bedrag
        kwota kwotę cena částka zůstatek suma zostatok összeg egyenleg sold sumă hinta belopp pris beløb beløp bakiye tutar
        tutarı borç fiyat məbləğ summa balansi dư du tiền tien số-dư jumlah sisa harga baki tagihan pulsa kiasi salio
        баланс баланса сумма сумму сумме остаток остатка доступно
        доступный списано списание зачислено зачисление оплата оплаты
        покупка перевод стоимость цена лимит оплате залишок сума суму
        наличност износ στάθμη υπόλοιπο ποσό ποσού գումար մնացորդ თანხა ნაშთი יתרה סכום الرصيد
        رصيدك المبلغ مبلغ بمبلغ رصيد موجودی مانده بیلنس रकम राशि शेष बैलेंस ব্যালেন্স পরিমাণ இருப்பு 余额 金额 消费 支出 收入
        餘額 金額 残高 ご利用金額 合計 잔액 금액 결제금액 ยอด ยอดเงิน จำนวน ຍອດເງິນ សមតុល្យ လက်ကျန် prices fees costs loan loans
        kredit* kredyt* кредит* préstamo empréstimo prestito prêt darlehen pinjaman ціна ціни цены deposit
        deposits refund refunds depósito acompte caution kaution einzahlung kaucja депозит* залог budget
    """,
    UNIT: """
        sec secs second seconds s min mins minute minutes hour hours hr hrs h day days week weeks month months year years points
        pts point people users customers items pcs times steps gb mb kb tb kwh km kg g m mi miles meters metres calories kcal
        mbps credits coins bonus bonuses stars views likes followers subscribers sms minuten sekunden stunden tage punkte jahre
        minutos segundos horas días dias puntos pontos secondes heures jours ans minuti secondi ore giorni punti anni uur dagen
        punten minut minuty sekund godzin punktów dni perc másodperc óra pont napra dakika saniye saat gün puan ədəd dəqiqə
        daqiqa soniya phút phut giây giay giờ ngày điểm diem menit detik jam hari poin minit mata sekunde godina bodova bodů
        minuuttia sekuntia pistettä poäng minuter sekunder мин минут* сек секунд* час часа часов
        дней дня лет баллов балла баллы бонусов бонуса шагов км кг шт мб
        гб хв хвилин* годин балів бали бонусів минути точки минут бал λεπτά
        δευτερόλεπτα ώρες πόντους րոպե წუთი წუთის ქულა דקות שניות שעות נקודות دقيقة دقائق ثانية ساعة نقطة
        دقیقه ثانیه ساعت امتیاز منٹ मिनट सेकंड घंटे अंक পয়েন্ট মিনিট நிமிடங்கள் నిమిషాలు ደቂቃ 分钟 分鐘 秒 小时 小時 天 积分
        積分 点 點 人 次 分 ポイント 時間 日間 分間 年 歩 분 초 시간 일 포인트 명 년 걸음 นาที วินาที ชั่วโมง คะแนน ນາທີ នាទី
        ពិន្ទុ မိနစ် အမှတ် logins runners visitors members followers views
    """,
    IS: """
        is are es est ist lautet lautete é è jest je sú este yra ir
          on er är là la adalah ialah ay ni u: это
        является е είναι է არის هو هي است ہے है হল হলো হচ্ছে ஆகும் is: equals = นี่ คือ ແມ່ນ គឺ は 是
          为 為 ：為 는
        은 です ist: with using via mit con com med met avec cu с со помощью s pomocou som
    """,
    NUMBER: """
        no no. nr nr. num number nº n° núm número numero numéro nummer numer číslo szám száma număr numărul numeroa
        nomor nomer nombor số so numara numarası numarasi nömrə raqam raqami номер номером номера
        номеру № нөмір номері нумар број αριθμός αριθμό αριθ համար* ნომერი מספר رقم رقمك
        شماره نمبر नंबर नम्बर নম্বর எண் నంబర్ ቁጥር namba nambari numeris numurs number: 号码 號碼 番号 번호 หมายเลข เลขที่ ໝາຍເລກ
        លេខ နံပါတ် lambar lambobi слово слова
    """,
    TO: """
        in on at en no na to auf an unter au aux à al allo alla sul nas
          do pod pe la til på till numeron numero-a на по у
        в до під за στο στον ke ku di ke- đến إلى على به बر पर le les el il lo den dem der das die
          the from of
        von de от із od dari từ today tomorrow tonight mo nyo niyo ninyo po heute morgen demain
          mañana amanhã domani завтра сегодня
        sms смс из per cua luc
    """,
    DONE: """
        changed modified updated blocked locked unlocked expired successful successfully failed exceeded disabled enabled
        created policy settings geändert gesperrt entsperrt aktualisiert abgelaufen erfolgreich geaendert gewijzigd geblokkeerd
        verlopen modifié modifie modifiée bloqué expiré réinitialisé cambiada cambiado modificada modificado bloqueada
        bloqueado actualizada actualizado vencido alterada alterado atualizada atualizado expirou expirado redefinida cambiata
        modificato modificata bloccato bloccata aggiornata scaduto schimbată schimbata modificată blocat expirat истёк*
        истек* недействит* змінено заблоковано оновлено зменены өзгертілді
        бұғатталды өзгөртүлдү o'zgartirildi almashtirildi bloklandi değiştirildi değişti degistirildi güncellendi
        bloke kilitlendi dəyişdirildi zmienione zmieniono zmieniony zmienion* zaktualizowan* wygasł* změněn* zmenen*
        zablokován* zablokovan* aktualizován* vypršel* megváltoz* lejárt променен* сменена блокиран*
        изтекъл promijenjen* promenjen* blokiran* istekao spremenjen* potekla промењен* αλλάχθηκε
        άλλαξε κλειδώθηκε έληξε vaihdettu muutettu lukittu vanhentunut ändrats ændret endret låst spärrat
        spærret sperret muudetud blokeeritud mainīta nomainīta փոխվել შეიცვალა დაიბლოკა הוחלפה שונתה שונה נחסם פג محظور انتهت
        منتهي یافت مسدود बदल बदला बदली ब्लॉक পরিবর্তন মாற்றப்பட்டது மாற்றப்பட்டது మార్చబడింది diubah diperbarui diblokir berubah
        kedaluwarsa ditukar disekat binago nabago imebadilishwa imezuiwa 已改 重置成功 已过期 変更されました 변경되었
        изменен изменён изменена изменено изменены сменен сменён
        заблокирован заблокирована заблокировано обновлен обновлён
        обновлена обновлено просрочен змінений змінена zablokowany zablokowana
        zablokowane zablokowano módosítva módosult módosította letiltva zárolva pakeistas pakeista užblokuotas bloķēts
        bloķēta 已修改 已更改 已变更 已變更 已重置 已重設 已成功 修改成功 设置成功 已于 已锁定 已鎖定 已失效 変更しました
        更新しました 変更が完了 ロックされ 변경됐 변경 완료 잠금처리 만료되었 สำเร็จ ສຳເລັດ ជោគជ័យ အောင်မြင် thành-công công
        ändrades uppdaterades spärrades ændredes blev-ændret endredes muutettiin vaihdettiin wrong incorrect incorrectly
        invalid falsch* incorrecto incorrecta incorreto incorreta errado errada erroné* errat* sbagliat* greșit* gresit*
        verkeerd* onjuist* nieprawidłow* błędn* nesprávn* nespravn* chybn* pogrešn* pogresn* погрешн* неверн*
        неправильн* хибн* невірн* няправільн* грешен yanlış yanlis hatalı hatali səhv
        noto'g'ri virheelli* väär* hibás* λανθασμέν* שגוי שגויה خاطئ خاطئة اشتباه غلط गलत ভুল தவறான తప్పు sai salah
        错误 錯誤 誤った 잘못 ผิด 已升级 已升級 已关闭 已關閉 已开通 已開通
    """,
    SECRET: """
        share sharing disclose reveal tell give forward never don't dont not nobody anyone this that weitergeben diesen dieser
        geben nie niemals partagez communiquez jamais ne cet comparta compartas compartir nunca este não compartilhe informe
        condividere mai questo delen nooit deze udostępniaj podawaj nikomu tego nesdělujte nikdy tento ossza senkinek nu
        nimănui acest jaa kenellekään dela aldrig del aldri paylaşmayın paylasmayin kimseyle bu chia sẻ chia-se bagikan jangan
        ini kongsi kongsikan никому не сообщайте говорите передавайте этот нікому
        повідомляйте цей споделяйте този ნუ מסור אל تشارك لا شارك ندهید शेयर साझा শেয়ার பகிர 切勿
        请勿 勿 不要 请不要 請勿 不要將 教えない 共有しない 他人 알려주지 절대 타인 ห้าม อย่า ຢ່າ កុំ မပေး
        kisi kisiko kabhi huwag wag kanino kaninuman siapapun siapa nadie ninguém ninguem kimseye khong
    """,
    OFFER: """
        off sale discount* deal deals free win won winner prize bonus cashback coupon* voucher* promo* gift gifts checkout offer
        offers save rabatt* angebot* gratis descuento* oferta ofertas gana desconto* ganhe sconto* offerta réduction soldes
        offre promotion* korting* rabat* zniżk* sleva* slevy zľav* kedvezmény* akció reducere indirim* kampanya* hediye
        fırsat endirim* chegirma* khuyến khuyen mãi giảm ưu đãi diskon promosi hadiah diskaun alennus* tarjous rea atlaid*
        nuolaid* popust* скидк* акци* подарок бесплатно распродаж* розыгрыш*
        кэшбэк знижк* безкоштовно отстъпк* έκπτωσ* προσφορ* הנחה מבצע خصم عرض تخفیف
        جشنواره छूट ऑफर ছাড় 优惠 折扣 满减 红包 抽奖 优惠券 免费 優惠 抽獎 割引 クーポン セール キャンペーン 無料 할인 쿠폰
        이벤트 무료 ส่วนลด โปรโมชั่น ฟรี
    """,
    VIETNAMESE: """
        cua khong nhap hieu luc vui quy khach giao dich thuc dang nhan duoc vnd
    """,
    MA: """
        ma
    """,
    LASTS: """
        valid expire expires gültig válido valido válida valida valable valide geldig giltig gyldig voimassa kehtib derīgs
        galioja ważny ważne platný platí érvényes valabil veljaven važi vrijedi важи валиден
        действителен действует действительен дійсний дзейны ісқ жарамды
        amal geçerli keçərlidir ισχύει ուժի მოქმედებს בתוקף صالح صالحة اعتبار معتبر मान्य वैध বৈধ செல்லுபடியாகும் hiệu-lực
        hieu berlaku sah wasto 有效 有効 유효 ใช้ได้ หมดอายุ သက်တမ်း សុពលភាព
    """,
    ROAD: """
        street st road rd avenue ave boulevard blvd lane ln highway straße strasse str laan straat
    """,
    NUMBERED: """
        nolu numaralı numarali biten ile-biten sonlu nömrəli raqamli számú végű sayılı numaral* sonlanan bitən 番 号 號 번
        호 로-끝나는 끝나는 numberli номерли
    """,
}

#: Stands before a word in Semitic scripts and is not part of it: and, with, for, the...
PROCLITICS = frozenset("والبلكفסהובלמשכ")

#: Top-level domains and kinds of files that follow a name made of digits ("1688.com"): the digits
#: are an address.
TOP_LEVEL = "com|net|org|ru|cn|io|me|co|in|info|app|shop|kz|uz|ua|by|de|br|id|vn|th|gov|edu|biz|store|online|pdf|zip|jpg|png|docx|xlsx"
